"""The kubelet's side: its API's messages, registration, its directory."""
