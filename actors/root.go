package actors

import (
	"fmt"

	"github.com/asynkron/protoactor-go/actor"
)

// toSequencer sends a message to the sequencer of an index, which is started if
// it does not run.
type toSequencer struct {
	handle *indexHandle
	msg    any
}

// rootActor supervises the long-lived actors of a cluster.
type rootActor struct {
	c          *Cluster
	ready      chan<- error
	sequencers map[string]*actor.PID // by index id
	stopping   bool
}

func (r *rootActor) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		r.sequencers = map[string]*actor.PID{}
		r.c.root = ctx.Self() // before the children run, who tell it things
		r.ready <- r.spawnAll(ctx)
	case *actor.Stopping:
		r.stopping = true
	case *toSequencer:
		if pid := r.sequencer(ctx, m.handle); pid != nil {
			r.c.tell(pid, m.msg)
		}
	case *toSequencerIfRunning:
		if pid := r.sequencers[m.indexID]; pid != nil {
			r.c.tell(pid, m.msg)
		}
	}
}

// toSequencerIfRunning is for messages that a sequencer does not need when it
// starts: it reads the store then.
type toSequencerIfRunning struct {
	indexID string
	msg     any
}

func (r *rootActor) spawnAll(ctx actor.Context) error {
	c := r.c
	// Everybody's PID must be known before the first of them runs.
	child := func(name string) *actor.PID { return actor.NewPID(ctx.Self().Address, ctx.Self().Id+"/"+name) }
	c.keeper, c.door, c.repairer = child("tasks"), child("door"), child("repairer")
	for _, h := range c.nodes {
		h.pid = child("node-" + h.node.ID)
	}
	_, err := ctx.SpawnNamed(actor.PropsFromProducer(func() actor.Actor { return &taskKeeper{c: c} }), "tasks")
	if err != nil {
		return fmt.Errorf("task keeper: %w", err)
	}
	_, err = ctx.SpawnNamed(actor.PropsFromProducer(func() actor.Actor { return &doorActor{c: c} }), "door")
	if err != nil {
		return fmt.Errorf("door: %w", err)
	}
	_, err = ctx.SpawnNamed(actor.PropsFromProducer(func() actor.Actor { return &repairer{c: c} }), "repairer")
	if err != nil {
		return fmt.Errorf("repairer: %w", err)
	}
	for _, h := range c.nodes {
		if _, err := ctx.SpawnNamed(actor.PropsFromProducer(func() actor.Actor { return &nodeActor{c: c, h: h} }), "node-"+h.node.ID); err != nil {
			return fmt.Errorf("node %s: %w", h.node.ID, err)
		}
	}
	return nil
}

func (r *rootActor) sequencer(ctx actor.Context, h *indexHandle) *actor.PID {
	if pid := r.sequencers[h.id]; pid != nil {
		return pid
	}
	if r.stopping {
		return nil // nobody would stop it: the children of this moment have been told
	}
	c, q := r.c, &quarantine{}
	pid := actor.NewPID(ctx.Self().Address, ctx.Self().Id+"/index-"+h.id)
	h.pid.Store(pid)
	if _, err := ctx.SpawnNamed(actor.PropsFromProducer(func() actor.Actor { return &sequencer{c: c, handle: h, restarts: q} }), "index-"+h.id); err != nil {
		c.log.WithError(err).Error("cannot start the sequencer of an index")
		return nil
	}
	r.sequencers[h.id] = pid
	return pid
}

// tellSequencer sends to the sequencer of an index, if it runs.
func (c *Cluster) tellSequencer(indexID string, msg any) {
	c.tell(c.root, &toSequencerIfRunning{indexID, msg})
}

// takeBack has settings taken back that a node refused.
func (c *Cluster) takeBack(e *entry) {
	if h, ok := c.registry.handleByID(e.row.IndexID); ok {
		c.tell(c.root, &toSequencer{h, &takeBack{e}})
	}
}
