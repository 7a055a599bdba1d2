package endpoint

// idleTimeout is how long a connection through a proxy may be silent, in the words
// of HAProxy and nginx. exec, logs and watches are silent for as long as nothing
// happens, and whoever ends them must be a party to them: an API server ends a
// watch after an hour at most, the kubelet an exec after four silent hours. A peer
// that is gone is found by TCP and by the health check.
const idleTimeout = "24h"

// Idle gives idleTimeout to the template.
func (haproxyConfig) Idle() string { return idleTimeout }

// Idle gives idleTimeout to the templates.
func (guideData) Idle() string { return idleTimeout }
