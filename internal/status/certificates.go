package status

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/cluster"
	"github.com/quorate/quorate/internal/diag"
	"github.com/quorate/quorate/internal/pki"
)

// EndsSoon is how many days before its end a certificate is worth a warning:
// from then on, an ordinary apply renews those that Quorate renews.
const EndsSoon = 30

// clusterCA is the cluster's CA on its nodes.
const clusterCA = "/etc/kubernetes/pki/ca.crt"

// kubeletClient is where a kubelet renews its certificate. What it goes by is what its
// kubelet.conf names or holds.
const kubeletClient = "/var/lib/kubelet/pki/kubelet-client-current.pem"

func (a assessment) certificates() {
	for i := range a.c.Hosts {
		h := &a.c.Hosts[i]
		facts := a.s.Facts(h.Name)
		if facts == nil {
			continue
		}
		for _, file := range slices.Sorted(maps.Keys(facts.Files)) {
			text := facts.Files[file].Certificates
			if text == "" || file == kubeletClient || file == clusterCA && !h.Has(cluster.RoleControlPlane) {
				continue // a worker's CA is a copy of the control planes'
			}
			if why := facts.Files[file].KeyError; why != "" {
				a.add(Problem{
					Kind: CertificateBad, Severity: diag.SeverityError, Subject: h.Name, Summary: "the key of its " + certificateName(file) + " does not belong to it",
					Detail: why, Hint: "quorate apply makes both anew",
				})
			}
			c := Certificate{What: certificateName(file), Kind: certificateKind(file), Host: h.Name, Path: file}
			certs, err := pki.Parse([]byte(text))
			if err != nil {
				a.add(Problem{
					Kind: CertificateBad, Severity: diag.SeverityError, Subject: h.Name, Summary: "its " + file + " holds no certificate that can be read",
					Detail: err.Error(), Hint: "quorate plan tells whether an apply replaces it",
				})
				continue
			}
			now := facts.Time
			if now.IsZero() {
				now = a.s.Taken
			}
			c.Ends = certs[0].NotAfter
			c.DaysLeft = int(math.Floor(c.Ends.Sub(now).Hours() / 24))
			a.Certificates = append(a.Certificates, c)
		}
	}
	slices.SortStableFunc(a.Certificates, func(x, y Certificate) int { return x.Ends.Compare(y.Ends) })
	a.certificateProblems()
}

// certificateProblems tells of certificates that end soon, those of one host
// and kind together.
func (a assessment) certificateProblems() {
	type group struct {
		host string
		kind CertificateKind
	}
	soon := map[group][]Certificate{}
	var order []group
	for _, c := range a.Certificates {
		if c.DaysLeft >= EndsSoon {
			continue
		}
		g := group{c.Host, c.Kind}
		if soon[g] == nil {
			order = append(order, g)
		}
		soon[g] = append(soon[g], c)
	}
	slices.SortStableFunc(order, func(x, y group) int { return cmp.Compare(soon[x][0].DaysLeft, soon[y][0].DaysLeft) })
	for _, g := range order {
		var ended, ending []string
		for _, c := range soon[g] {
			if c.DaysLeft < 0 {
				ended = append(ended, c.What)
			} else {
				ending = append(ending, c.What)
			}
		}
		if slices.Contains(ended, "admin.conf") {
			a.rehint(APIUnusable, "quorate apply renews the admin.conf that expired")
		}
		if len(ended) > 0 {
			a.error(CertificateExpired, g.host, fmt.Sprintf("its %s expired on %s", andList(ended), soon[g][0].Ends.UTC().Format(time.DateOnly)), renewal(g.kind, g.host, true))
		}
		if len(ending) > 0 {
			first := soon[g][len(ended)]
			verb := "ends"
			if len(ending) > 1 {
				verb = "end"
			}
			a.warn(CertificateEnds, g.host, fmt.Sprintf("its %s %s in %s", andList(ending), verb, plural(first.DaysLeft, "day")), renewal(g.kind, g.host, false))
		}
	}
}

// rehint gives a problem that was told another hint.
func (a assessment) rehint(kind Kind, hint string) {
	for i := range a.Problems {
		if a.Problems[i].Kind == kind {
			a.Problems[i].Hint = hint
		}
	}
}

// renewal says how certificates of a kind are renewed.
func renewal(k CertificateKind, host string, ended bool) string {
	switch k {
	case KindAuthority:
		return "all that it signed must be signed anew by a new authority: plan a rotation of the authorities"
	case KindKubelet:
		if ended {
			return "its kubelet cannot renew it any more: quorate apply gives it another one"
		}
		return fmt.Sprintf("the kubelet renews it by itself: on %s, journalctl -u kubelet tells why it did not", host)
	}
	return "quorate apply renews it"
}

// certificateName is a certificate's file as people call it.
func certificateName(file string) string {
	for _, dir := range []string{"/etc/kubernetes/pki/", "/etc/kubernetes/"} {
		if rest, ok := strings.CutPrefix(file, dir); ok {
			return rest
		}
	}
	if rest, ok := strings.CutPrefix(file, "/etc/etcd/pki/"); ok {
		return "etcd/" + rest
	}
	return path.Base(file)
}

func certificateKind(file string) CertificateKind {
	base := path.Base(file)
	switch {
	case base == "kubelet.conf":
		return KindKubelet
	case strings.HasSuffix(base, ".conf"):
		return KindKubeconfig
	case base == "ca.crt", base == "front-proxy-ca.crt":
		return KindAuthority
	case strings.Contains(file, "/etcd/"), base == "apiserver-etcd-client.crt":
		return KindEtcd
	}
	return KindKubernetes
}
