"""From a suspected network to one without its triggers, and the proof that it is one."""
