package catalog

// GoneGate reports whether a feature gate is one that no supported release of
// Kubernetes has any more, of those that old configurations set, and since
// which version what it switched on is a part of Kubernetes for good. A program
// that is told of a gate that it does not know does not start.
func GoneGate(name string) (since string, gone bool) {
	since, gone = map[string]string{
		"ExpandCSIVolumes": "v1.24", "CSIStorageCapacity": "v1.24", "TTLAfterFinished": "v1.23", "EphemeralContainers": "v1.25",
		"PodSecurity": "v1.25", "IPv6DualStack": "v1.23", "VolumeSnapshotDataSource": "v1.20", "CSIInlineVolume": "v1.25",
		"CSIMigration": "v1.25", "DaemonSetUpdateSurge": "v1.25", "GenericEphemeralVolume": "v1.23", "LocalStorageCapacityIsolation": "v1.25",
		"NetworkPolicyEndPort": "v1.25", "StatefulSetMinReadySeconds": "v1.25", "SupportPodPidsLimit": "v1.20", "SupportNodePidsLimit": "v1.20",
	}[name]
	return since, gone
}
