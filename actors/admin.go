package actors

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/store"
	"github.com/miroir-search/miroir/topology"
)

// Index finds an index by uid.
func (c *Cluster) Index(uid string) (*messages.Index, bool) {
	iv, ok := c.registry.lookup(uid)
	if !ok {
		return nil, false
	}
	return iv.public, true
}

// Indexes lists all indexes by uid.
func (c *Cluster) Indexes() []*messages.Index { return c.registry.publicIndexes() }

// Task returns one task, or an error that is store.ErrNotFound.
func (c *Cluster) Task(ctx context.Context, uid int64) (*store.Task, error) {
	t, err := c.store.Task(ctx, uid)
	if err != nil {
		return nil, fmt.Errorf("task %d: %w", uid, err)
	}
	return shown(t), nil
}

// Tasks lists tasks.
func (c *Cluster) Tasks(ctx context.Context, q *store.TaskQuery) (*store.TaskPage, error) {
	page, err := c.store.Tasks(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("list tasks: %w", err)
	}
	for i, t := range page.Tasks {
		page.Tasks[i] = shown(t)
	}
	return page, nil
}

// shown hides the error that a task was born with until it has ended.
func shown(t *store.Task) *store.Task {
	if t.Finished() || len(t.Error) == 0 {
		return t
	}
	c := *t
	c.Error = nil
	return &c
}

// TaskParts lists what each node did, or has to do, of a task.
func (c *Cluster) TaskParts(ctx context.Context, uid int64) ([]messages.TaskPart, error) {
	if _, err := c.store.Task(ctx, uid); err != nil {
		return nil, fmt.Errorf("task %d: %w", uid, err)
	}
	entries, deliveries, err := c.store.Parts(ctx, uid)
	if err != nil {
		return nil, fmt.Errorf("parts of task %d: %w", uid, err)
	}
	type key struct {
		lsn  int64
		node string
	}
	done := map[key]*store.Delivery{}
	for _, d := range deliveries {
		done[key{d.LSN, d.NodeID}] = d
	}
	parts := []messages.TaskPart{}
	for _, e := range entries {
		for _, id := range e.Nodes {
			p := messages.TaskPart{Step: e.LSN, Kind: e.Kind, Node: id, State: string(store.DeliveryPending), NodeTasks: []int64{}}
			if d := done[key{e.LSN, id}]; d != nil {
				p.State = string(d.State)
				p.NodeTasks = append(p.NodeTasks, d.NodeTasks...)
				var details []json.RawMessage
				if e.Kind == kindDump && json.Unmarshal(d.Details, &details) == nil {
					p.DumpUID = dumpUIDOf(details)
				}
				if len(d.Error) > 0 {
					p.Error = json.RawMessage(c.clientSafe(d.Error))
				}
			}
			parts = append(parts, p)
		}
	}
	return parts, nil
}

// Topology shows groups and nodes as they are now.
func (c *Cluster) Topology() *messages.Topology {
	t := c.newest.Table(c.opts.Shards)
	out := &messages.Topology{
		Version: c.newest.Version(), Shards: c.opts.Shards, ReplicationFactor: c.newest.ReplicationFactor(),
	}
	for n, h := range c.nodes { // by group
		if h.released.Load() {
			continue
		}
		if g := len(out.Groups); g == 0 || out.Groups[g-1].ID != h.node.Group {
			out.Groups = append(out.Groups, messages.TopologyGroup{ID: h.node.Group})
		}
		node := c.topologyNode(n, t)
		out.Degraded = out.Degraded || node.State != stateReady.String() || node.Reason != ""
		group := &out.Groups[len(out.Groups)-1]
		group.Nodes = append(group.Nodes, node)
	}
	out.Rebuilds = c.rebuildStatus()
	out.Move = c.moveStatus(out.Rebuilds)
	return out
}

// topologyNode shows one node as it is now.
func (c *Cluster) topologyNode(n topology.NodeIndex, t *topology.Table) messages.TopologyNode {
	h := c.nodes[n]
	node := messages.TopologyNode{
		ID: h.node.ID, Address: h.node.Address, Shards: t.Held(n).Len(), Behind: int(h.behind.Load()), Leaving: !c.newest.Has(n),
	}
	if s := h.status.Load(); s != nil {
		node.State, node.Since, node.Reason = s.state.String(), s.since.UTC(), string(c.clientSafe([]byte(s.reason)))
	}
	if v := h.version.Load(); v != nil {
		node.Version = v.PkgVersion
	}
	if lacking := c.lacking(n); lacking > 0 && node.State == stateReady.String() {
		node.Reason = lacksReason(lacking)
	}
	return node
}

func lacksReason(indexes int) string {
	if indexes == 1 {
		return "it lacks writes of 1 index and is not read for the shards that they are in"
	}
	return fmt.Sprintf("it lacks writes of %d indexes and is not read for the shards that they are in", indexes)
}

// lacking counts the indexes that a node serves and has missed writes of.
func (c *Cluster) lacking(n topology.NodeIndex) (count int) {
	behind := c.views.load().behind[n]
	for _, iv := range c.registry.list() {
		if set, lags := behind[iv.row.ID]; lags && !set.And(iv.table.Owned(n)).Empty() {
			count++
		}
	}
	return count
}

// moveStatus shows how far the moves of this start are; nil when none is under way.
func (c *Cluster) moveStatus(rebuilds []messages.TopologyRebuild) *messages.TopologyMove {
	if c.moves.over() {
		return nil
	}
	m := &messages.TopologyMove{From: c.moves.from, To: c.newest.Version(), Leaving: []string{}}
	for _, h := range c.nodes {
		if !c.newest.Has(h.index) && !h.released.Load() {
			m.Leaving = append(m.Leaving, h.node.ID)
		}
	}
	for id, copies := range c.moves.copies {
		m.Indexes.Total++
		m.Shards.Total += copies
		m.Shards.Done += copies
		place, known := c.registry.placeOf(id)
		if !known || place.On == c.newest.Version() {
			m.Indexes.Done++
			continue
		}
		row, ok := c.registry.row(id)
		if !ok {
			continue
		}
		table := c.registry.tableOf(id, row.Shards)
		for n := range c.nodes {
			if r := c.rebuilds.get(rebuildKey{n, id}); r != nil {
				m.Shards.Done -= r.shards.And(table.Joining(n)).Len()
			}
		}
	}
	for _, r := range rebuilds {
		m.Documents += r.Copied
	}
	return m
}

// rebuildStatus lists the copies that are to be rebuilt.
func (c *Cluster) rebuildStatus() []messages.TopologyRebuild {
	out := []messages.TopologyRebuild{}
	open, progress := c.rebuilds.list()
	for i, r := range open {
		p := progress[i]
		uid, _ := c.registry.uidOf(r.key.index)
		out = append(out, messages.TopologyRebuild{
			Node: c.nodes[r.key.node].node.ID, IndexUID: uid, Shards: r.shards.Slice(),
			Reason: string(c.clientSafe([]byte(r.record.Reason))), Since: r.record.Since,
			State: p.State, Copied: p.Copied, Total: p.Total, Problem: string(c.clientSafe([]byte(p.Problem))),
		})
	}
	return out
}

// Shards shows which nodes own which shard of an index with the default number
// of shards, and what cannot be read now.
func (c *Cluster) Shards() *messages.Shards {
	t := c.newest.Table(c.opts.Shards)
	out := &messages.Shards{Shards: []messages.ShardPlacement{}, Indexes: []messages.IndexPlacement{}}
	for s := range t.All().All() {
		p := messages.ShardPlacement{Shard: s}
		for g := range c.newest.Groups() {
			o := messages.ShardOwnerSet{Group: c.newest.GroupID(g)}
			for _, n := range t.Owners(g, s) {
				o.Nodes = append(o.Nodes, c.nodes[n].node.ID)
			}
			p.Owners = append(p.Owners, o)
		}
		out.Shards = append(out.Shards, p)
	}
	for _, iv := range c.registry.list() {
		out.Indexes = append(out.Indexes, messages.IndexPlacement{
			IndexUID: iv.row.UID, Shards: iv.row.Shards, Unreadable: c.unreadable(iv.table, iv.row.ID).Slice(),
		})
	}
	return out
}

// unreadable are the shards of an index without a readable copy.
func (c *Cluster) unreadable(t *topology.Table, indexID string) topology.ShardSet {
	left := t.All().Clone()
	for _, usable := range c.views.load().usable(t, indexID) {
		left = left.Minus(usable)
	}
	return left
}

// Ready is nil when every shard of every index has a readable copy and the
// store can write; otherwise it says what is missing.
func (c *Cluster) Ready() error {
	if c.ctx.Err() != nil {
		return errors.New("it is stopping")
	}
	if err := c.store.Healthy(); err != nil {
		return fmt.Errorf("the store cannot write: %w", err)
	}
	if left := c.unreadable(c.newest.Table(c.opts.Shards), ""); !left.Empty() && c.moves.over() {
		return fmt.Errorf("no node in service owns shards %s", left.AppendList(nil, degradedShards))
	}
	for _, iv := range c.registry.list() {
		if left := c.unreadable(iv.table, iv.row.ID); !left.Empty() {
			return fmt.Errorf("index %s: no readable copy of shards %s", iv.row.UID, left.AppendList(nil, degradedShards))
		}
	}
	return nil
}

// NodesVersion is the version of the oldest node that was heard of; empty when
// none was.
func (c *Cluster) NodesVersion() (pkgVersion, commitSha, commitDate string) {
	var oldest *nodeVersion
	for _, h := range c.nodes {
		if v := h.version.Load(); v != nil && (oldest == nil || v.minor < oldest.minor) {
			oldest = v
		}
	}
	if oldest == nil {
		return "", "", ""
	}
	return oldest.PkgVersion, oldest.CommitSHA, oldest.CommitDate
}
