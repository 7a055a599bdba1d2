package component

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// nodeTimeout bounds a node's way to Ready: its network must be configured and
// its runtime must answer.
const nodeTimeout = 4 * time.Minute

// NodeReady waits until a node of the cluster is Ready.
func NodeReady(ctx context.Context, rt *Runtime, name string, say func(string)) error {
	return Until(ctx, nodeTimeout, "node "+name+" to be Ready", say, func(ctx context.Context) error {
		client, err := rt.Kube(ctx)
		if err != nil {
			return err
		}
		node, err := client.Node(ctx, name)
		if err != nil {
			return err
		}
		if !node.Ready {
			return fmt.Errorf("not Ready: %s", node.Reason)
		}
		return nil
	})
}

// apiTimeout bounds the wait for an API server whose etcd members or host were only
// just started.
const apiTimeout = 4 * time.Minute

// Recorded reports whether RecordDone noted this digest for the subject. It waits for
// the API: the plan may have been made while none answered. On a new cluster the
// administrator may not even read yet.
func Recorded(ctx context.Context, rt *Runtime, say func(string), subject, digest string) (is bool, err error) {
	err = Until(ctx, apiTimeout, "an API server to answer", say, func(ctx context.Context) error {
		client, err := rt.Kube(ctx)
		if err != nil {
			return err
		}
		records, err := client.Records(ctx)
		if apierrors.IsForbidden(err) {
			return nil
		}
		is = err == nil && records[subject] == digest
		return err
	})
	return is, err
}

// changing stands for the digest of what is being applied.
const changing = "changing"

// RecordChanging notes in the cluster that a cluster-wide step that was done
// before is under way again: until it was seen to be done, nobody knows what is
// there. Otherwise one who goes back to the settings of before, after a change
// that failed, would find them recorded still. Where nothing was recorded it
// notes nothing: on a new cluster the administrator may not even write yet, it
// is one of these steps that gives the right.
func RecordChanging(ctx context.Context, rt *Runtime, subject string, say func(string)) error {
	return Until(ctx, time.Minute, "the API to take a note", say, func(ctx context.Context) error {
		client, err := rt.Kube(ctx)
		if err != nil {
			return err
		}
		records, err := client.Records(ctx)
		if apierrors.IsForbidden(err) || err == nil && records[subject] == "" {
			return nil
		}
		if err != nil {
			return err
		}
		return client.Record(ctx, subject, changing)
	})
}

// RecordDone notes in the cluster that a cluster-wide step was done, with the
// digest of what it applied, so that the next plan need not do it again.
func RecordDone(ctx context.Context, rt *Runtime, subject, digest string, say func(string)) error {
	return Until(ctx, time.Minute, "the API to take a note", say, func(ctx context.Context) error {
		client, err := rt.Kube(ctx)
		if err != nil {
			return err
		}
		return client.Record(ctx, subject, digest)
	})
}

// WorkloadReady waits until all pods of a workload, named
// kind/namespace/name, are ready and up to date.
func WorkloadReady(ctx context.Context, rt *Runtime, name string, say func(string)) error {
	return PodsReady(ctx, rt, name, 0, say)
}

// PodsReady is WorkloadReady for the first pods: it waits until so many of
// them are ready, or all where enough is 0. Nodes that the cluster file does not
// have are told, not waited for: they may never come back.
func PodsReady(ctx context.Context, rt *Runtime, name string, enough int, say func(string)) error {
	told := false
	return Until(ctx, nodeTimeout, name, say, func(ctx context.Context) error {
		client, err := rt.Kube(ctx)
		if err != nil {
			return err
		}
		w, others, ok, err := client.WorkloadAmong(ctx, name, rt.isNode)
		if len(others) > 0 && !told {
			told = true
			say(fmt.Sprintf("not waiting for the pods of %s on %s, which the cluster file does not have", name, strings.Join(others, ", ")))
		}
		switch {
		case err != nil:
			return err
		case !ok:
			return errors.New("it is not in the cluster yet")
		}
		if lacking := w.Lacking(enough); lacking != "" {
			return errors.New(lacking)
		}
		return nil
	})
}

// isNode reports whether the cluster file has a node of this name.
func (rt *Runtime) isNode(name string) bool {
	h := rt.Cluster.Host(name)
	return h != nil && h.IsNode()
}
