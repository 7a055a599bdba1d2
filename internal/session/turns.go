package session

import (
	"context"
	"net"
	"strconv"

	"github.com/quorate/quorate/internal/cluster"
)

// How many hosts are connected to at a time. Each has its own time to answer, which
// begins when its turn comes: more at once would only queue for the processors of this
// machine, with their time running. A bastion's SSH server turns logins away when many
// come at once (sshd's MaxStartups: ten by default).
const (
	mostDials          = 32
	mostDialsByBastion = 8
)

// turns lets as many connect at a time as both sides bear.
type turns struct {
	all      chan struct{}
	bastions map[string]chan struct{}
}

func newTurns(hosts []cluster.Host) *turns {
	g := &turns{all: make(chan struct{}, mostDials), bastions: map[string]chan struct{}{}}
	for i := range hosts {
		if b := firstHop(hosts[i].SSH); b != "" && g.bastions[b] == nil {
			g.bastions[b] = make(chan struct{}, mostDialsByBastion)
		}
	}
	return g
}

// firstHop is the bastion that is dialled from this machine, or empty.
func firstHop(s cluster.SSH) string {
	hop := ""
	for s.Bastion != nil {
		hop = net.JoinHostPort(s.Bastion.Address, strconv.Itoa(s.Bastion.SSH.Port))
		s = s.Bastion.SSH
	}
	return hop
}

// enter waits for a turn. What it returns gives it back.
func (g *turns) enter(ctx context.Context, s cluster.SSH) (leave func(), err error) {
	bastion := g.bastions[firstHop(s)]
	queues := []chan struct{}{g.all}
	if bastion != nil {
		queues = []chan struct{}{bastion, g.all} // in this order, so that who waits for a bastion keeps nobody else out
	}
	var taken []chan struct{}
	leave = func() {
		for _, turn := range taken {
			<-turn
		}
	}
	for _, turn := range queues {
		select {
		case turn <- struct{}{}:
			taken = append(taken, turn)
		case <-ctx.Done():
			leave()
			return nil, context.Cause(ctx)
		}
	}
	return leave, nil
}
