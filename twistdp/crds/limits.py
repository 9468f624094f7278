"""How much an object may say, so that the operator reads it in no time.

The operator reads all objects in one thread, and 20 000 resources would hold it for seconds.
"""

from typing import Final

MOST_RESOURCES: Final = 512
"""Resources of a configuration.

A kubelet has a connection for each, and writes each into its Node's status twice.
"""

MOST_VALUES: Final = 5000
"""Values in the whole spec, at any depth; a definition can say that of no open part."""
