package kubekey

import (
	"github.com/quorate/quorate/api/v1alpha1"
	"github.com/quorate/quorate/internal/config/strict"
)

// importInventory makes a document of an Inventory and, where there is one, a
// Config.
func importInventory(r *strict.Report, inventory, config document) *v1alpha1.Cluster {
	inventory.report.ErrorAt(strict.Position(inventory.root), "write a file of KubeKey 3, kind: Cluster", "KubeKey 4's inventories are not read by this version")
	return nil
}
