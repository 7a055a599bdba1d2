package v1alpha1

import "time"

// Drills says what failures on purpose (`quorate drill`) may cost.
type Drills struct {
	// Budgets are laid over the drills' own, one after another: a later one
	// counts where several speak of the same. What `quorate drill run --budget`
	// says counts more.
	//
	// Example: [{gap: 3s}, {drill: etcd-killed, write: 2s}]
	Budgets []DrillBudget `yaml:"budgets,omitempty"`
}

// DrillBudget is what a drill may cost.
type DrillBudget struct {
	// Drill is the drill that it is for. Default: all of them.
	//
	// Example: etcd-killed
	Drill string `yaml:"drill,omitempty"`
	// Gap is the longest time in which nothing may succeed, for every kind of
	// question that has no time of its own here.
	//
	// Example: 3s
	Gap time.Duration `yaml:"gap,omitempty"`
	// Read is the gap for reads on new connections.
	//
	// Example: 2s
	Read time.Duration `yaml:"read,omitempty"`
	// KeepAlive is the gap for reads on a connection that is kept open.
	//
	// Example: 2s
	KeepAlive time.Duration `yaml:"keepAlive,omitempty"`
	// Write is the gap for writes.
	//
	// Example: 3s
	Write time.Duration `yaml:"write,omitempty"`
	// Watch is the gap for what watches see.
	//
	// Example: 3s
	Watch time.Duration `yaml:"watch,omitempty"`
	// Disturbed is the longest time in which some questions may fail though
	// others succeed.
	//
	// Example: 5s
	Disturbed time.Duration `yaml:"disturbed,omitempty"`
	// Recovery is the longest time from the end of the fault to a healthy cluster.
	//
	// Example: 1m
	Recovery time.Duration `yaml:"recovery,omitempty"`
	// Moved is the longest time from the loss of a node to a pod of it that is
	// ready on another.
	//
	// Example: 90s
	Moved time.Duration `yaml:"moved,omitempty"`
}
