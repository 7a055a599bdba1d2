package lab

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestClusterFile(t *testing.T) {
	for name, spec := range map[string]Spec{
		"default":  {Name: "default", ControlPlanes: 3, Workers: 3},
		"managed":  {Name: "ha", ControlPlanes: 3, Workers: 1, LoadBalancers: 2, Etcds: 3, Kubernetes: "v1.36.3"},
		"shared":   {Name: "ha", ControlPlanes: 3, Workers: 1, SharedLB: true},
		"external": {Name: "ext", ControlPlanes: 3, Workers: 1, ExternalLB: true},
		"single":   {Name: "one", ControlPlanes: 1},
	} {
		t.Run(name, func(t *testing.T) {
			const net = subnet(4)
			l := &Lab{dir: "/var/lib/quorate/labs/" + spec.Name, record: record{Spec: spec, Subnet: net, Hosts: spec.hosts(net)}}
			got := l.ClusterFile()
			golden := filepath.Join("testdata", "cluster-"+name+".yaml")
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The balancer's settings name every control plane, and HAProxy takes them.
func TestBalancerConfig(t *testing.T) {
	const net = subnet(4)
	l := &Lab{record: record{Hosts: Spec{Name: "ext", ControlPlanes: 2, Workers: 1, ExternalLB: true}.hosts(net)}}
	got := l.BalancerConfig()
	golden := filepath.Join("testdata", "balancer.cfg")
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Error(diff)
	}
	haproxy, err := exec.LookPath("haproxy")
	if err != nil {
		t.Skip("no haproxy here to read the file with")
	}
	if out, err := exec.CommandContext(t.Context(), haproxy, "-c", "-q", "-f", golden).CombinedOutput(); err != nil {
		t.Errorf("HAProxy does not take it: %v\n%s", err, out)
	}
}

func TestKnownHostsAreWhatSSHReads(t *testing.T) {
	const net = subnet(4)
	hosts := Spec{Name: "a", ControlPlanes: 2}.hosts(net)
	public := map[string]string{}
	keys := map[string]ssh.PublicKey{}
	for _, host := range hosts {
		pair, err := newKeyPair(host.Name)
		if err != nil {
			t.Fatal(err)
		}
		signer, err := ssh.ParsePrivateKey(pair.private)
		if err != nil {
			t.Fatal(err)
		}
		public[host.Name], keys[host.Name] = pair.public, signer.PublicKey()
	}
	path := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(path, knownHosts(hosts, public), 0o600); err != nil {
		t.Fatal(err)
	}
	check, err := knownhosts.New(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"cp-1:22", "10.77.4.11:22"} {
		if err := check(name, addr("10.77.4.11:22"), keys["cp-1"]); err != nil {
			t.Errorf("%s with its own key: %v", name, err)
		}
		if err := check(name, addr("10.77.4.11:22"), keys["cp-2"]); err == nil {
			t.Errorf("%s with another host's key was accepted", name)
		}
	}
}

func expectMode(t *testing.T, path string, want os.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Error(err)
	} else if info.Mode().Perm() != want {
		t.Errorf("%s has mode %v, want %v", path, info.Mode().Perm(), want)
	}
}

type addr string

func (addr) Network() string  { return "tcp" }
func (a addr) String() string { return string(a) }

func TestKeyPairIsMadeOnceAndHealed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys", "id_ed25519")
	first, err := ensureKeyPair(path, "lab")
	if err != nil {
		t.Fatal(err)
	}
	expectMode(t, path, 0o600)
	again, err := ensureKeyPair(path, "lab")
	if err != nil || !bytes.Equal(first.private, again.private) || first.public != again.public {
		t.Errorf("the second pair differs: %v", err)
	}
	if err := os.Remove(path + ".pub"); err != nil { // as if interrupted between the two files
		t.Fatal(err)
	}
	healed, err := ensureKeyPair(path, "lab")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.ParsePrivateKey(healed.private)
	if err != nil {
		t.Fatal(err)
	}
	if line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey()))); !strings.HasPrefix(healed.public, line) {
		t.Error("the two halves do not belong together")
	}
}

func TestPasswordIsMadeOnceForTheOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "password")
	first, err := ensurePassword(path)
	if err != nil || len(first) < 20 {
		t.Fatalf("%d characters, %v", len(first), err)
	}
	if again, err := ensurePassword(path); err != nil || again != first {
		t.Errorf("the second password differs: %v", err)
	}
	expectMode(t, path, 0o600)
}

func TestShadowWith(t *testing.T) {
	path := filepath.Join(t.TempDir(), "shadow")
	if err := os.WriteFile(path, []byte("root:*:1::\noperator:*:20000:0:99999:7:::\noperator2:*:1::\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := shadowWith(path, "operator", "$6$salt$hash")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("root:*:1::\noperator:$6$salt$hash:20000:0:99999:7:::\noperator2:*:1::\n", got); diff != "" {
		t.Error(diff)
	}
	if _, err := shadowWith(path, "nobody", "x"); err == nil {
		t.Error("a user that is not there got a password")
	}
}

func TestImprintFollowsTheBase(t *testing.T) {
	base, upper := t.TempDir(), filepath.Join(t.TempDir(), "upper")
	if err := os.MkdirAll(filepath.Join(base, "etc/ssh"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(base, "etc/ssh"), 0o750); err != nil {
		t.Fatal(err)
	}
	to := imprint{base: base, upper: upper}
	to.write("etc/ssh/key", "secret", 0o600)
	to.write("root/.ssh/authorized_keys", "key", 0o600)
	if os.Getuid() != 0 && to.err != nil {
		t.Skip("only root can give files away")
	}
	if to.err != nil {
		t.Fatal(to.err)
	}
	for path, want := range map[string]os.FileMode{
		"": 0o755, "etc": 0o755, "etc/ssh": 0o750, "etc/ssh/key": 0o600, "root": 0o700, "root/.ssh": 0o700,
	} {
		expectMode(t, filepath.Join(upper, path), want)
	}
	broken := imprint{base: base, upper: upper}
	broken.write("etc/ssh/key/impossible", "", 0o600)
	first := broken.err
	broken.write("etc/fine", "", 0o644)
	if first == nil || broken.err != first {
		t.Errorf("errors %v and %v; the first must stick", first, broken.err)
	}
}

func TestRecipeListsAreClean(t *testing.T) {
	for _, name := range []string{"packages", "masked-units", "modules"} {
		list, err := recipeList(name)
		if err != nil || len(list) == 0 {
			t.Errorf("%s: %d entries, %v", name, len(list), err)
		}
	}
	packages, err := recipeList("packages")
	if err != nil {
		t.Fatal(err)
	}
	for _, brought := range []string{"containerd", "runc", "haproxy", "keepalived", "nginx", "iptables", "nftables", "conntrack"} {
		for _, name := range packages {
			if name == brought {
				t.Errorf("%s is in the base; hosts must be bare", brought)
			}
		}
	}
}
