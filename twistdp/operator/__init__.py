"""The operator: runs the plugins that objects of kind DevicePlugin ask for."""
