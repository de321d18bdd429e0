package actors

import (
	"context"
	"errors"
	"net/url"

	"github.com/miroir-search/miroir/nodeclient"
)

// laneCall is a turn in a node's lane that belongs to no entry: a rebuild changes
// the node in it. It comes behind the entries of its index up to an LSN, and before
// the later ones if it is there before them.
type laneCall struct {
	indexID string
	after   int64
	state   watched // the index behind the entries up to after, when the sequencer has placed the call
	// run makes the calls. send makes one that changes the node; it returns the
	// uid of the node's task.
	run   func(ctx context.Context, call *laneCall, send sender) error
	ended chan<- laneCallEnd // has room for one
}

// maxTurn is how many slow calls a turn may take.
const maxTurn = 3

// sender makes a call that changes a node, and keeps account of its task.
type sender func(req *nodeclient.Request) (uid int64, err error)

// laneCallEnd is what became of a turn, with the tasks that it made on the node.
type laneCallEnd struct {
	tasks []int64
	err   error
}

// laneCalled tells the node actor that the turn is over.
type laneCalled struct{ err error }

// refuse ends a turn that never comes.
func (m *laneCall) refuse(err error) { m.ended <- laneCallEnd{err: err} }

// nextCall takes the first call whose turn it is: no delivery is before it, and none
// of its index must still be looked for among the node's tasks. A backup goes first:
// what is copied from other nodes may be later than its place.
func (l *lane) nextCall() *laneCall {
	for i, call := range l.calls {
		waits := false
		for _, d := range l.queue {
			if backsUp(d.entry.row.Kind) || d.entry.row.IndexID == call.indexID && (d.entry.row.LSN <= call.after || d.uncertain || len(d.nodeTasks) > 0) {
				waits = true
				break
			}
		}
		if !waits {
			l.calls = append(l.calls[:i:i], l.calls[i+1:]...)
			return call
		}
	}
	return nil
}

func (a *nodeActor) onLaneCall(m *laneCall) {
	switch {
	case a.resuming:
		m.refuse(errNodeRestarting)
	case !a.health.state.up():
		m.refuse(errNodeBroken)
	default:
		a.lane.calls = append(a.lane.calls, m)
		a.advance()
	}
}

// refuseCalls ends the calls that wait.
func (a *nodeActor) refuseCalls(err error) {
	for _, call := range a.lane.calls {
		call.refuse(err)
	}
	a.lane.calls = nil
}

func (a *nodeActor) startCall(m *laneCall) {
	a.h.laneBusy, a.h.busyWith = true, 0
	a.sent++
	c, h, self := a.c, a.h, a.self()
	end := laneCallEnd{err: errNodeRestarting}
	c.spawn("rebuild call", func() {
		defer func() {
			m.ended <- end
			c.tell(self, &laneCalled{end.err})
		}()
		ctx, cancel := c.within(maxTurn * c.opts.WriteCallTimeout)
		defer cancel()
		end.err = m.run(ctx, m, func(req *nodeclient.Request) (int64, error) {
			uid, err := c.sendRebuild(h, m.indexID, req)
			if err == nil {
				end.tasks = append(end.tasks, uid)
			}
			return uid, err
		})
	}, nil)
}

func (a *nodeActor) onLaneCalled(m *laneCalled) {
	a.h.laneBusy = false
	if a.resuming {
		return
	}
	if m.err != nil && a.health.state.up() && nodeIsGone(m.err) {
		a.fail(m.err.Error())
		return
	}
	a.advance()
}

// nodeIsGone reports whether an error speaks against the node, not the call.
func nodeIsGone(err error) bool {
	return errors.As(err, new(*nodeclient.Error))
}

// sendRebuild makes one call of a rebuild. When its outcome is unknown the tasks of
// the index that the node has by now are taken for accounted, so that none of them is
// mistaken for a later write.
func (c *Cluster) sendRebuild(h *nodeHandle, indexID string, req *nodeclient.Request) (int64, error) {
	ctx, cancel := c.within(c.opts.WriteCallTimeout)
	defer cancel()
	resp, err := c.ask(ctx, h, req)
	if err == nil {
		uid, err := taskUID(resp)
		if err == nil {
			err = c.checkGap(h, uid)
		}
		if err != nil {
			return 0, err
		}
		h.sawTask(uid)
		h.accounted[indexID] = uid
		return uid, nil
	}
	if mayHaveArrived(err) {
		asking, cancel := c.within(c.opts.ProbeTimeout)
		defer cancel()
		if uid, asked := c.newestTask(asking, h, indexID); asked == nil && uid >= 0 {
			h.accounted[indexID] = max(uid, h.accounted[indexID])
			if last := h.lastTask.Load(); last >= 0 && uid > last+1 {
				c.onGap(h, last+1, uid) // some other than this call
			}
			h.sawTask(uid)
		}
	}
	return 0, err
}

// newestTask is the uid of a node's newest task, of one index or of all; -1 when it
// has none.
func (c *Cluster) newestTask(ctx context.Context, h *nodeHandle, indexID string) (int64, error) {
	path := "/tasks?limit=1"
	if indexID != "" {
		path += "&indexUids=" + url.QueryEscape(indexID)
	}
	var page nodeTasks
	if err := c.read(ctx, h, path, &page); err != nil {
		return 0, err
	}
	if len(page.Results) == 0 {
		return -1, nil
	}
	return page.Results[0].UID, nil
}
