// Package kubekey reads the cluster files of KubeKey: the one document of kind
// Cluster that its versions 1 to 3 take (v1alpha1 and v1alpha2), and the pair of
// Inventory and Config of version 4.
//
// It makes an api/v1alpha1 document of them and notes the place of every value,
// so that whatever is found wrong with it later points into the user's own
// file. What the document has no room for is named in a warning that says what
// follows from leaving it out. What KubeKey accepts and then breaks on (several
// control planes behind the address of the first, a balancer of its own
// together with somebody else's) is an error with its hints.
//
// KubeKey's own defaults that ours differ from are written into the document
// where they matter. Its reading is imitated: case of keys does not count,
// numbers may be in quotes, unknown keys do no harm (but are told).
package kubekey
