"""What crosses Temporal: messages, the contracts of core actions, task queues and retry presets."""
