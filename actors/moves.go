package actors

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/sirupsen/logrus"

	"github.com/miroir-search/miroir/nodeclient"
	"github.com/miroir-search/miroir/store"
	"github.com/miroir-search/miroir/topology"
)

// Indexes that lie elsewhere than the configuration says are moved, one after the
// other, while they are read and written:
//
//  1. The owners-to-be are rebuilt from the owners (repairer); writes reach both.
//  2. When they are equal, the index switches: its sequencer stands still, what is
//     under way ends, one commit says where the index is from now on, and reads and
//     writes turn to the new owners.
//  3. Once no read from before is under way, what is left over is removed.
//
// How far an index is stands in the store (placed), so that a restart goes on, with
// the same configuration or with another one. At the end the nodes that have left
// are released.

// moves is what the rest of the cluster knows of the moves of this start.
type moves struct {
	active bool        // there was something to do at the start; never changed
	done   atomic.Bool // nothing is left to do
	from   []uint64
	copies map[string]int // by index id: the copies of shards that are brought to other nodes
	reads  atomic.Pointer[readEpoch]
}

// over reports whether nothing moves.
func (m *moves) over() bool { return !m.active || m.done.Load() }

func newMoves(p *placements) *moves {
	m := &moves{copies: map[string]int{}}
	m.reads.Store(&readEpoch{})
	newest := p.fleet.Newest()
	for _, v := range p.fleet.Versions() {
		if v != newest.Version() {
			m.active, m.from = true, append(m.from, v)
		}
	}
	for _, row := range p.rows {
		table := placeTable(p.fleet, p.of[row.ID], row.Shards)
		for n := range p.fleet.Nodes() {
			m.copies[row.ID] += table.Joining(n).Len()
		}
	}
	return m
}

// startMoves lets the moves begin, and again after a panic.
func (c *Cluster) startMoves() {
	c.spawn("moves", c.runMoves, func(error) {
		time.AfterFunc(time.Second, func() {
			if c.ctx.Err() == nil {
				c.startMoves()
			}
		})
	})
}

// readEpoch counts the reads that have begun between two switches and not ended.
type readEpoch struct {
	open   atomic.Int64
	before *readEpoch // nil once it is over
}

// over reports whether no read of this time, or of before, is under way.
func (e *readEpoch) over() bool {
	if e.before != nil && e.before.over() {
		e.before = nil
	}
	return e.before == nil && e.open.Load() == 0
}

// beginRead counts a read; the function it returns ends it. A read begins before it
// looks up where an index is.
func (m *moves) beginRead() (end func()) {
	e := m.reads.Load()
	e.open.Add(1)
	return func() { e.open.Add(-1) }
}

// takePlaces makes the chosen placements durable, if indexes can be moved there.
func (c *Cluster) takePlaces(ctx context.Context, p *placements) error {
	if err := c.reachable(ctx, p); err != nil {
		return err
	}
	if err := c.store.Commit(ctx, p.batch); err != nil {
		return fmt.Errorf("write the placement: %w", err)
	}
	return nil
}

// reachable makes sure that every shard of every index that moves has an owner that
// is still configured, or answers at its former address: a last copy must not be left
// behind. It waits for nodes as long as Start does.
func (c *Cluster) reachable(ctx context.Context, p *placements) error {
	answers := map[topology.NodeIndex]bool{}
	alive := func(n topology.NodeIndex) bool { return c.newest.Has(n) || answers[n] }
	late := time.Now().Add(c.opts.StartWait)
	for {
		err := p.lost(alive)
		if err == nil || time.Now().After(late) {
			return err
		}
		asked := 0
		for n, h := range c.nodes {
			if !alive(n) && h.node.Address != "" {
				asked++
				answers[n] = c.isOurs(ctx, h)
			}
		}
		if asked == 0 {
			return err
		}
		if p.lost(alive) == nil {
			continue
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("start: %w", context.Cause(ctx))
		}
	}
}

// lost names shards that have no owner that is alive.
func (p *placements) lost(alive func(topology.NodeIndex) bool) error {
	for _, row := range p.rows {
		table := placeTable(p.fleet, p.of[row.ID], row.Shards)
		lost := table.Lost(alive)
		if lost.Empty() {
			continue
		}
		var had []string
		for n, node := range p.fleet.Nodes() {
			if !table.Owned(n).And(lost).Empty() {
				had = append(had, node.ID)
			}
		}
		return fmt.Errorf("index %s: no node that has shards %s is configured any more or answers at its former address: "+
			"put one of %s back into the configuration, or start it, until `miroir status` says that the move is over",
			row.UID, lost.AppendList(nil, degradedShards), strings.Join(had, ", "))
	}
	return nil
}

// isOurs reports whether a node answers and bears our mark.
func (c *Cluster) isOurs(ctx context.Context, h *nodeHandle) bool {
	ctx, cancel := context.WithTimeout(ctx, c.opts.ProbeTimeout)
	defer cancel()
	resp, err := c.ask(ctx, h, &nodeclient.Request{Method: http.MethodGet, Path: markerPath + "/cluster", Idempotent: true})
	var m marker
	return err == nil && json.Unmarshal(resp.Body, &m) == nil && m.ClusterID == c.store.ClusterID()
}

// Times of moves.
const (
	moveWait   = 50 * time.Millisecond // between looks at what is under way
	drainFirst = time.Second           // how long writes are held up for a switch, at first
	markerWait = 10 * time.Second      // for a node to be released
)

// forgetAfter is how long a node that leaves may be away before it is forgotten.
func (c *Cluster) forgetAfter() time.Duration { return 5 * c.opts.ProbeInterval }

// mover carries the moves out, in one goroutine.
type mover struct {
	c       *Cluster
	readers map[string]*readEpoch            // by index id: the reads from before its switch
	drains  map[string]time.Duration         // by index id: how long to hold up writes
	asked   map[string]time.Time             // by index id: when its leftovers were last to be removed
	away    map[topology.NodeIndex]time.Time // since when a node that leaves is not in service
}

// runMoves moves what is to be moved and ends when nothing is left to do.
func (c *Cluster) runMoves() {
	m := &mover{
		c: c, readers: map[string]*readEpoch{}, drains: map[string]time.Duration{},
		asked: map[string]time.Time{}, away: map[topology.NodeIndex]time.Time{},
	}
	for c.ctx.Err() == nil {
		ids := c.registry.unsettled()
		for _, id := range ids {
			if err := m.step(id); err != nil && c.ctx.Err() == nil {
				c.log.WithError(err).WithField("index", id).Warn("a move does not go on; trying again")
			}
		}
		m.watchLeaving()
		if len(ids) == 0 && m.release() {
			return
		}
		select {
		case <-time.After(moveWait):
		case <-c.ctx.Done():
		}
	}
}

// step takes one index as far as it goes now.
func (m *mover) step(id string) error {
	c := m.c
	h, ok := c.registry.handleByID(id)
	if !ok {
		return nil // it is being deleted
	}
	table := h.table.Load()
	switch {
	case table.Moving():
		for n := range c.nodes {
			if table.To().Has(n) && c.rebuilds.get(rebuildKey{n, id}) != nil {
				return nil
			}
		}
		return m.switchOver(h)
	case m.readers[id] != nil && !m.readers[id].over(), time.Since(m.asked[id]) < time.Second:
		return nil
	}
	delete(m.readers, id)
	under, err := inquire(c, func(reply chan<- bool) { c.tell(c.keeper, &askLeftovers{id, reply}) })
	if err != nil || under {
		return err
	}
	if c.lagging(table, id) || !servable(table, c.views.load().usable(table, id)) {
		return nil // what is left over may still be needed
	}
	m.asked[id] = time.Now()
	place, _ := c.registry.placeOf(id)
	c.tell(c.root, &toSequencer{h, &removeLeftovers{place.Traces}})
	return nil
}

// lagging reports whether an owner of an index lacks something of it.
func (c *Cluster) lagging(table *topology.Table, id string) bool {
	for n, behind := range c.views.load().behind {
		if !behind[id].And(table.Held(n)).Empty() {
			return true
		}
	}
	return false
}

// switchOver lets the owners-to-be of an index serve it.
func (m *mover) switchOver(h *indexHandle) error {
	c := m.c
	limit := max(m.drains[h.id], drainFirst)
	stands, released := make(chan *standing, 1), make(chan struct{})
	props := actor.PropsFromProducer(func() actor.Actor {
		return &stander{c: c, handle: h, limit: limit + c.opts.WriteTimeout, stands: stands, released: released}
	}, actor.WithGuardian(stopOnFailure))
	pid := c.sys.Root.SpawnPrefix(props, c.opts.Name+"-standstill-")
	defer func() {
		c.tell(pid, &letGo{})
		<-released
	}()
	late := time.NewTimer(c.opts.WriteTimeout)
	defer late.Stop()
	select {
	case at := <-stands:
		if at == nil || at.deleted || !at.created {
			return nil
		}
	case <-late.C:
		return fmt.Errorf("its sequencer does not stand still")
	}
	for began, round := time.Now(), 0; ; round++ {
		why, err := inquire(c, func(reply chan<- string) { c.tell(c.keeper, &askSwitch{h, reply}) })
		switch {
		case err != nil:
			return err
		case why == "":
			return m.commitSwitch(h)
		case time.Since(began) > limit:
			m.drains[h.id] = min(2*limit, c.opts.WriteTimeout/3)
			c.log.WithFields(logrus.Fields{"index": h.id, "reason": why}).Info("an index cannot switch to its new nodes yet")
			return nil
		}
		time.Sleep(nodeWaits(round))
	}
}

// commitSwitch makes the switch durable, then known: to readers first, so that none
// of them misses a write that the former owners do not get.
func (m *mover) commitSwitch(h *indexHandle) error {
	c := m.c
	place, ok := c.registry.placeOf(h.id)
	if !ok {
		return nil
	}
	place = place.arrived(c.newest.Version())
	if err := c.store.Commit(c.ctx, &store.Batch{Values: map[string]json.RawMessage{placedKey(h.id): mustJSON(place)}}); err != nil {
		return fmt.Errorf("record where an index lies: %w", err)
	}
	if err := c.registry.setPlace(h.id, place); err != nil {
		return err
	}
	before := c.moves.reads.Load()
	c.moves.reads.Store(&readEpoch{before: before})
	m.readers[h.id] = before
	c.tell(c.keeper, &switched{h})
	c.log.WithFields(logrus.Fields{"index": h.id, "placement": place.On}).Info("an index is served by its new nodes")
	return nil
}

// watchLeaving forgets nodes that leave and do not answer, once nothing is read from
// them any more.
func (m *mover) watchLeaving() {
	c := m.c
	for n, h := range c.nodes {
		switch {
		case c.newest.Has(n):
			continue
		case h.released.Load(): // something may have been ordered meanwhile
			_, _ = m.letGo(h)
			continue
		case c.views.load().states[n].up():
			delete(m.away, n)
			continue
		}
		if _, known := m.away[n]; !known {
			m.away[n] = time.Now()
		}
		if h.node.Address != "" && time.Since(m.away[n]) < c.forgetAfter() || c.registry.served(n) {
			continue
		}
		lost, err := m.letGo(h)
		if err == nil {
			c.log.WithFields(logrus.Fields{"node": h.node.ID, "writes": lost}).
				Warn("a node that has left the configuration does not answer; it is forgotten with what it has: empty it before it is used again")
		}
	}
}

// letGo ends all that a node still has to do, and the looks at it.
func (m *mover) letGo(h *nodeHandle) (owed int, err error) {
	c := m.c
	if h.released.CompareAndSwap(false, true) {
		c.tell(h.pid, &retire{})
	}
	return inquire(c, func(reply chan<- int) { c.tell(c.keeper, &askOwed{h.index, true, reply}) })
}

// release lets the nodes go that are not configured any more, and forgets former
// placements. It reports whether that is done.
func (m *mover) release() bool {
	c := m.c
	b := &store.Batch{Values: map[string]json.RawMessage{}}
	for n, h := range c.nodes {
		if c.newest.Has(n) {
			continue
		}
		b.Values[nodeKey(h.node.ID)] = nil
		if h.released.Load() {
			continue
		}
		owed, err := inquire(c, func(reply chan<- int) { c.tell(c.keeper, &askOwed{n, false, reply}) })
		if err != nil || owed > 0 || !c.views.load().states[n].up() {
			return false // it may come back, or is forgotten before long
		}
		if _, err := m.letGo(h); err != nil {
			return false
		}
		if err := c.unmark(h); err != nil {
			c.log.WithError(err).WithField("node", h.node.ID).Warn("a node that has left the configuration keeps the mark of this Miroir")
		}
		c.log.WithField("node", h.node.ID).Info("a node that has left the configuration is released")
	}
	for _, v := range c.fleet.Versions() {
		if v != c.newest.Version() {
			b.Values[placementKey(v)] = nil
		}
	}
	if err := c.store.Commit(c.ctx, b); err != nil {
		c.log.WithError(err).Warn("former placements cannot be forgotten; trying again")
		return false
	}
	c.moves.done.Store(true)
	c.log.WithField("placement", c.newest.Version()).Info("every index is where the configuration says")
	return true
}

// unmark takes our mark off a node.
func (c *Cluster) unmark(h *nodeHandle) error {
	ctx, cancel := c.within(markerWait)
	defer cancel()
	_, err := c.ask(ctx, h, &nodeclient.Request{Method: http.MethodDelete, Path: "/indexes/" + markerIndex})
	return err
}
