"""A black-box suite for device plugins of any kind: it plays the kubelet and looks what they do."""
