package ansible

import (
	"regexp"

	"github.com/quorate/quorate/internal/config/strict"
)

// kubeadmHA is a line that only the inventories of TimeBye/kubeadm-ha have.
var kubeadmHA = regexp.MustCompile(`(?m)^\s*(\[kube-worker\]|lb_kube_apiserver_(ip|port)\s*=)`)

// IsKubeadmHA reports whether a file is an inventory of TimeBye/kubeadm-ha: its
// workers are in a group that neither kubespray nor KubeSphere has.
func IsKubeadmHA(f *strict.File) bool {
	return f.Roots == nil && !IsEncrypted(f) && IsINI(f.Data) && kubeadmHA.Match(f.Data)
}
