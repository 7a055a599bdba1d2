package config

import (
	"fmt"
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
		if got := nearest(word, keys); got != want {
			t.Errorf("nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestHomeOf(t *testing.T) {
	host := structFields(reflect.TypeFor[v1alpha1.Host]())
	for key, want := range map[string]string{
		"password": "ssh: {password: …}", // one level in
		"podCIDR":  "spec.network",       // elsewhere, in one place
		"hosts":    "spec",
		"mode":     "spec.endpoint.loadBalancer or spec.etcd", // in two
		"nothing":  "",
	} {
		if got := homeOf(key, host); got != want {
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
		if got := secretKey(key); got != want {
			t.Errorf("secretKey(%q) = %t, want %t", key, got, want)
		}
	}
}

// BenchmarkParse reads a file of a thousand hosts.
func BenchmarkParse(b *testing.B) {
	data := []byte(header + "spec:\n  hosts:\n  - {name: cp-1, address: 10.0.0.1, roles: [control-plane]}\n")
	for i := range 999 {
		data = fmt.Appendf(data, "  - {name: node-%d, address: 10.1.%d.%d, roles: [worker], labels: {zone: a}}\n", i, i/250, i%250+1)
	}
	data = append(data, "  network: {podCIDR: 172.16.0.0/12}\n"...)
	b.ReportAllocs()
	for b.Loop() {
		if c, list := Parse("bench.yaml", data, testOptions()); c == nil {
			b.Fatal(list)
		}
	}
}
