package strict

import (
	"reflect"
	"testing"

	"github.com/quorate/quorate/api/v1alpha1"
)

func TestEditDistance(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"port", "port", 0}, {"prot", "port", 1}, {"adress", "address", 1},
		{"kitten", "sitting", 3}, {"节点", "节", 1}, {"ab", "ba", 1},
	} {
		if got := editDistance(test.a, test.b); got != test.want {
			t.Errorf("editDistance(%q, %q) = %d, want %d", test.a, test.b, got, test.want)
		}
	}
}

func TestNearest(t *testing.T) {
	keys := []string{"name", "address", "internalAddress", "roles", "privateKeyPath", "passwordFrom"}
	for word, want := range map[string]string{
		"adress": "address", "Name": "name", "private_key_path": "privateKeyPath", "internal-address": "internalAddress",
		"role": "roles", "password_from": "passwordFrom", "zone": "", "": "", "x": "", "colour": "",
	} {
		if got := Nearest(word, keys); got != want {
			t.Errorf("nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestHomeOf(t *testing.T) {
	host := Fields(reflect.TypeFor[v1alpha1.Host]())
	for key, want := range map[string]string{
		"password": "ssh: {password: …}", // one level in
		"podCIDR":  "spec.network",       // elsewhere, in one place
		"network":  "spec",
		"mode":     "spec.endpoint.loadBalancer or spec.etcd", // in two
		"nothing":  "",
	} {
		if got := homeOf(key, host, reflect.TypeFor[v1alpha1.Cluster]()); got != want {
			t.Errorf("homeOf(%q) = %q, want %q", key, got, want)
		}
	}
}

func TestSecretKey(t *testing.T) {
	for key, want := range map[string]bool{
		"password": true, "sudoPassword": true, "pasword": true, "passwd": true, "ansible_ssh_pass": true, "ansible_become_pass": true,
		"passwordFrom": true, "privateKey": true, "bootstrapToken": true, "pwd": true, "paswrod": true,
		"privateKeyPath": false, "address": false, "name": false, "user": false, "roles": false, "port": false, "dataDir": false,
	} {
		if got := IsSecretKey(key); got != want {
			t.Errorf("IsSecretKey(%q) = %t, want %t", key, got, want)
		}
	}
}
