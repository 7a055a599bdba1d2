// Package ansible reads the inventories of the installers that are made of
// Ansible playbooks: KubeSphere 2.x (conf/hosts.ini with vars.yml or
// common.yaml), kubespray (inventory.ini or hosts.yaml with group_vars and
// host_vars) and kubeasz (hosts with config.yml), and makes a document of our own format of them.
//
// The way of an inventory: the files that belong to it are gathered
// (gather.go); its hosts and groups are read, INI (ini.go) or YAML
// (inventory_yaml.go); variable files are read into the levels at which Ansible
// knows variables (variables.go); what is written in Jinja or encrypted with
// Ansible Vault is recognised (template.go); hosts and settings are mapped,
// each value with its place (hosts.go, settings*.go, endpoint*.go); and every
// variable that nothing was made of is named with what follows (unused.go).
//
// No playbook, no filter and no lookup is ever run.
package ansible
