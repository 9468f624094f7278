"""How soon the kubelet has what an event of the kernel changed, and what other events cost."""
