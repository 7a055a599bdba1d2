package cli

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/plan"
	"github.com/quorate/quorate/internal/session"
	"github.com/quorate/quorate/internal/status"
	"github.com/quorate/quorate/internal/status/statustest"
)

func TestNextCommands(t *testing.T) {
	tests := []struct {
		name   string
		change func(statustest.World)
		todo   todo
		want   []string
	}{
		{"no kubeconfig yet", func(statustest.World) {}, todo{}, []string{
			"quorate apply -f 'my clusters/it'\\''s.yaml'", "quorate plan -f 'my clusters/it'\\''s.yaml'", "quorate status --output json -f 'my clusters/it'\\''s.yaml'",
		}},
		{"a host off", func(w statustest.World) { w.Off("cp-2") }, todo{refused: true}, []string{
			"ssh -p 2222 -i /keys/ed25519 -o UserKnownHostsFile=/keys/known op@10.0.0.12",
			"quorate status -f 'my clusters/it'\\''s.yaml'",
		}},
		{"something that apply mends", func(w statustest.World) { w.LoseQuorum() }, todo{steps: make([]plan.Step, 1)}, []string{
			"quorate plan -f 'my clusters/it'\\''s.yaml'", "quorate apply -f 'my clusters/it'\\''s.yaml'", "quorate status -f 'my clusters/it'\\''s.yaml'",
		}},
		{"something that apply knows nothing of", func(w statustest.World) { w.LoseQuorum() }, todo{}, []string{
			"quorate status -f 'my clusters/it'\\''s.yaml'",
		}},
		{"something that apply refuses", func(w statustest.World) { w.LoseQuorum() }, todo{refused: true}, []string{
			"quorate plan -f 'my clusters/it'\\''s.yaml'", "quorate status -f 'my clusters/it'\\''s.yaml'",
		}},
		{"nothing built", func(w statustest.World) { w.Bare() }, todo{}, []string{
			"quorate plan -f 'my clusters/it'\\''s.yaml'", "quorate apply -f 'my clusters/it'\\''s.yaml'", "quorate status -f 'my clusters/it'\\''s.yaml'",
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := statustest.Healthy()
			test.change(w)
			for i := range w.Cluster.Hosts {
				w.Cluster.Hosts[i].SSH = cluster.SSH{User: "op", Port: 2222, PrivateKeyPath: "/keys/ed25519", KnownHostsPath: "/keys/known"}
			}
			s := &session.Session{Cluster: w.Cluster}
			var got []string
			for _, c := range nextCommands(s, status.Of(w.Cluster, w.Snapshot), test.todo, filesAt("my clusters/it's.yaml"), "") {
				got = append(got, c.Command)
			}
			if d := cmp.Diff(test.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}
