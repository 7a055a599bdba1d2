// Package members changes etcd's membership and takes members down: the work
// that both ways of running etcd share, as systemd units and as static pods.
// What is known of the membership, and what may be done, package etcd says.
package members

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/quorate/quorate/internal/component"
	"github.com/quorate/quorate/internal/etcd"
	"github.com/quorate/quorate/internal/host"
)

// Etcdctl is etcd's own command line on a host.
const Etcdctl = "/usr/local/bin/etcdctl"

// Client asks the member of one host through that host's own etcdctl, so that
// no key leaves the host.
type Client struct {
	Host *host.Host
	// PKI is the folder of etcd's certificates on the host; it holds ca.crt
	// and healthcheck-client.{crt,key}.
	PKI string
}

// requestTimeout bounds one request to a member. A member answers a
// linearizable request within an election timeout or not at all.
const requestTimeout = 5 * time.Second

// Member is a member as etcdctl prints it.
type Member struct {
	ID         uint64   `json:"ID"`
	Name       string   `json:"name"`
	PeerURLs   []string `json:"peerURLs"`
	ClientURLs []string `json:"clientURLs"`
	IsLearner  bool     `json:"isLearner"`
}

func (c Client) run(ctx context.Context, out any, args ...string) error {
	argv := append([]string{
		Etcdctl, "--endpoints", fmt.Sprintf("https://127.0.0.1:%d", etcd.ClientPort),
		"--cacert", c.PKI + "/ca.crt", "--cert", c.PKI + "/healthcheck-client.crt", "--key", c.PKI + "/healthcheck-client.key",
		"--command-timeout", requestTimeout.String(), "--write-out", "json",
	}, args...)
	reply, err := c.Host.Run(ctx, host.Command{Argv: argv, Timeout: 2 * requestTimeout})
	if err != nil {
		return err
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(reply.Stdout, out); err != nil {
		return fmt.Errorf("%s: etcdctl %s answered what is not JSON: %w", c.Host.Name(), args[0], err)
	}
	return nil
}

// Members lists the members; it needs quorum.
func (c Client) Members(ctx context.Context) ([]Member, error) {
	var reply struct{ Members []Member }
	if err := c.run(ctx, &reply, "member", "list"); err != nil {
		return nil, err
	}
	return reply.Members, nil
}

// AddLearner adds a member that does not vote yet.
func (c Client) AddLearner(ctx context.Context, name, peerURL string) error {
	return c.run(ctx, nil, "member", "add", name, "--learner", "--peer-urls", peerURL)
}

// Promote makes a learner a voter. It fails while the learner is behind.
func (c Client) Promote(ctx context.Context, id uint64) error {
	return c.run(ctx, nil, "member", "promote", strconv.FormatUint(id, 16))
}

// Alarm is an alarm that a member raised.
type Alarm struct {
	MemberID uint64 `json:"memberID"`
	Alarm    int    `json:"alarm"`
}

// Kinds of alarms (etcdserverpb.AlarmType).
const (
	alarmNoSpace = 1
	alarmCorrupt = 2
)

// Alarms lists what is raised.
func (c Client) Alarms(ctx context.Context) ([]Alarm, error) {
	var reply struct{ Alarms []Alarm }
	if err := c.run(ctx, &reply, "alarm", "list"); err != nil {
		return nil, err
	}
	return reply.Alarms, nil
}

// Disarm disarms all alarms.
func (c Client) Disarm(ctx context.Context) error { return c.run(ctx, nil, "alarm", "disarm") }

// tryEach asks the hosts in turn until one answers.
func tryEach(rt *component.Runtime, via []string, pki string, question func(Client) error) error {
	var last error = fmt.Errorf("no etcd member to ask")
	for _, name := range via {
		h, err := rt.Host(name)
		if err != nil {
			last = err
			continue
		}
		if last = question(Client{Host: h, PKI: pki}); last == nil {
			return nil
		}
	}
	return last
}
