// NVRBase holds mechanisms without NVR meaning: errors, broadcast, bounded queues, dedicated threads, back-off, clocks, secrets.
