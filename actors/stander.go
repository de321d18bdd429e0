package actors

import (
	"context"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// stander makes the sequencer of one index stand still for a rebuild, for a limited
// time. It lives for one standstill; when it dies the sequencer goes on.
type stander struct {
	c      *Cluster
	handle *indexHandle
	limit  time.Duration // of the standstill

	stands   chan<- *standing // has room for one; closed when there will be none
	released chan<- struct{}  // closed when the sequencer goes on, or will not stand

	asked *write
	stood bool
	gone  bool // nobody waits for it any more
	timer *time.Timer
	// unlink takes it off the cluster's end.
	unlink func() bool
}

// letGo ends the standstill.
type letGo struct{}

// IgnoreDeadLetterLogging says that the message may come after the time limit.
func (*letGo) IgnoreDeadLetterLogging() {}

func (s *stander) Receive(ctx actor.Context) {
	s.c.guard("stander", func() { s.receive(ctx) }, func(any) {})
}

func (s *stander) receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		self := ctx.Self()
		s.unlink = context.AfterFunc(s.c.ctx, func() { s.c.tell(self, &letGo{}) })
		s.asked = &write{coordinator: self, handle: s.handle, swap: true}
		s.c.tell(s.c.root, &toSequencer{handle: s.handle, msg: s.asked})
	case *standing:
		s.stood = true
		if s.gone {
			s.release(ctx)
			return
		}
		self := ctx.Self()
		s.timer = time.AfterFunc(s.limit, func() { s.c.tell(self, &letGo{}) })
		s.stands <- m
	case *unsequenced:
		ctx.Stop(ctx.Self())
	case *letGo:
		switch {
		case s.stood:
			s.release(ctx)
			return
		case s.c.ctx.Err() != nil: // nobody may be left to answer
			ctx.Stop(ctx.Self())
			return
		}
		s.gone = true
		s.c.tell(s.c.root, &toSequencerIfRunning{s.handle.id, &withdraw{s.asked}})
	case *actor.Stopped:
		if s.timer != nil {
			s.timer.Stop()
		}
		s.unlink()
		close(s.stands)
		close(s.released)
	}
}

func (s *stander) release(ctx actor.Context) {
	s.c.tell(s.handle.pid.Load(), &goOn{coordinator: ctx.Self()})
	ctx.Stop(ctx.Self())
}
