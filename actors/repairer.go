package actors

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/sirupsen/logrus"

	"github.com/miroir-search/miroir/topology"
)

// repairDue lets the repairer look for records whose turn it is.
type repairDue struct{}

// repairer starts the rebuilds of copies, a few at once. Each is a goroutine; what is
// open and what runs outlives the actor (rebuilds).
type repairer struct {
	c     *Cluster
	timer *time.Timer
}

func (a *repairer) Receive(ctx actor.Context) {
	a.c.guard("repairer", func() { a.receive(ctx) }, func(any) {})
}

func (a *repairer) receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started, *repairDue, *recordGone:
		a.start(ctx.Self())
	case *actor.Stopping, *actor.Restarting:
		if a.timer != nil {
			a.timer.Stop()
		}
	case *crash:
		panic("asked to crash: " + m.why)
	}
}

// start begins what can begin, and looks again later while records are open.
func (a *repairer) start(self *actor.PID) {
	c := a.c
	states := c.views.load().states
	up := func(n topology.NodeIndex) bool { return states[n].up() }
	for c.ctx.Err() == nil {
		r := c.rebuilds.begin(time.Now(), maxRebuildJobs, up)
		if r == nil {
			break
		}
		c.spawn("rebuild", func() {
			err := errNodeRestarting
			defer func() {
				c.rebuilds.end(r.key, time.Now(), err)
				c.tell(self, &repairDue{})
			}()
			if err = c.runRebuild(r); err != nil && c.ctx.Err() == nil {
				c.metrics.rebuilds.WithLabelValues("failed").Inc()
				c.log.WithError(err).WithFields(logrus.Fields{"node": c.nodes[r.key.node].node.ID, "index": r.key.index}).
					Warn("a rebuild did not come to its end; trying again")
			}
		}, nil)
	}
	if a.timer != nil {
		a.timer.Stop()
	}
	if open, _ := c.rebuilds.list(); len(open) > 0 {
		a.timer = time.AfterFunc(min(c.opts.ProbeInterval, time.Second), func() { c.tell(self, &repairDue{}) })
	}
}
