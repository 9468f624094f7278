"""The custom resource `DevicePlugin`: what users write, its schema and its rules, as values."""
