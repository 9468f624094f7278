"""The device plugin API v1beta1: constants and names on the wire (see protos/)."""

from typing import Final

VERSION: Final = "v1beta1"
"""The only version that kubelets accept."""

KUBELET_SOCKET: Final = "kubelet.sock"
"""File name of the kubelet's registration socket."""

REGISTER: Final = "/v1beta1.Registration/Register"
GET_OPTIONS: Final = "/v1beta1.DevicePlugin/GetDevicePluginOptions"
LIST_AND_WATCH: Final = "/v1beta1.DevicePlugin/ListAndWatch"
GET_PREFERRED_ALLOCATION: Final = "/v1beta1.DevicePlugin/GetPreferredAllocation"
ALLOCATE: Final = "/v1beta1.DevicePlugin/Allocate"
PRE_START_CONTAINER: Final = "/v1beta1.DevicePlugin/PreStartContainer"

GET_INFO: Final = "/pluginregistration.Registration/GetInfo"
NOTIFY_STATUS: Final = "/pluginregistration.Registration/NotifyRegistrationStatus"

PLUGIN_TYPE: Final = "DevicePlugin"
"""What a device plugin calls itself in the plugins registry."""

POD_RESOURCES_LIST: Final = "/v1.PodResourcesLister/List"
POD_RESOURCES_GET: Final = "/v1.PodResourcesLister/Get"
POD_RESOURCES_ALLOCATABLE: Final = "/v1.PodResourcesLister/GetAllocatableResources"
