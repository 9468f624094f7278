"""How a plugin is run: the texts for systemd, for Kubernetes, and for what makes images.

They are the same for twistdp itself, whose own are in ``deploy`` and ``docker``, and for a project
of one's own.
"""
