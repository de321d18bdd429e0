package actors

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/quorum"
	"github.com/miroir-search/miroir/store"
	"github.com/miroir-search/miroir/topology"
)

// A backup is a dump or a snapshot of the fleet: every node is asked for its own
// at one place behind everything that was ordered before and before everything
// that is ordered later, and the store is copied as it was at that place. A node
// that is given its dump back, and Miroir with the copy, go on from there.

// backsUp reports whether entries of a kind ask nodes for a backup. They belong
// to no index, every node gets them, and a node that misses one lacks no write.
func backsUp(kind string) bool { return kind == kindDump || kind == kindSnapshot }

// cut keeps the one moment that a backup shows free of writes: whoever gives
// writes their places holds it for reading while it commits them.
type cut struct{ sync.RWMutex }

// commitInOrder commits what gives writes their places in an order.
func (c *Cluster) commitInOrder(b *store.Batch) error {
	c.cut.RLock()
	defer c.cut.RUnlock()
	return c.store.Commit(c.ctx, b)
}

// backup is a backup of ours while the store's copy is being written.
type backup struct {
	uid    string
	dir    string // the backup's own
	frozen store.Frozen
	done   chan struct{} // closed when the copy is written, or not
	err    error         // why not
}

// stateDir is the store's copy in the directory of a backup.
const stateDir = "store"

// makeBackup answers as soon as the task is durable; the store's copy is written
// afterwards.
func (c *Cluster) makeBackup(m *messages.MakeBackup, key *heldKey, reply func(*messages.TaskAccepted)) {
	var once sync.Once
	answer := func(a *messages.TaskAccepted) {
		once.Do(func() {
			reply(a)
			c.keys.release(key)
		})
	}
	c.spawn("backup", func() {
		b, a := c.beginBackup(m, key.row())
		answer(a)
		if b == nil {
			return
		}
		defer close(b.done)
		defer b.frozen.Release()
		b.err = errors.New("the copy was interrupted")
		b.err = b.frozen.WriteTo(c.ctx, filepath.Join(b.dir, stateDir))
	}, func(error) {
		answer(&messages.TaskAccepted{Err: api.Internal("the backup was interrupted; whether it was begun is unknown")})
	})
}

// beginBackup gives a backup its place and sends it on its way.
func (c *Cluster) beginBackup(m *messages.MakeBackup, key *store.RequestKey) (*backup, *messages.TaskAccepted) {
	kind, taskType, details := kindDump, api.DumpCreation, mustJSON(&api.Details{DumpUID: api.NullOpt[string]()})
	if m.Snapshot {
		kind, taskType, details = kindSnapshot, api.SnapshotCreation, nil
	}
	base := c.backupDir(kind)
	if base == "" {
		return nil, &messages.TaskAccepted{Err: api.NewError("miroir_not_supported",
			"Miroir keeps nothing on disk here, so there is no place for a backup. Start it with a directory.")}
	}
	missed, lost := c.missBackup()
	if !lost.Empty() {
		return nil, &messages.TaskAccepted{Err: noQuorumPossible(lost)}
	}
	b, err := newBackup(base, time.Now())
	if err != nil {
		return nil, &messages.TaskAccepted{Err: api.Errorf("miroir_store_unavailable", "Miroir cannot make a directory for the backup: %v.", err)}
	}
	t := &store.Task{
		UID: -1, Type: taskType, Status: api.Enqueued, CustomMetadata: m.CustomMetadata, EnqueuedAt: time.Now().UTC(), Details: details, Key: key,
	}
	if err := c.orderBackup(b, kind, t); err != nil {
		c.log.WithError(err).Error("a backup was not begun")
		_ = os.Remove(b.dir) // empty
		return nil, &messages.TaskAccepted{Err: storeUnavailable(err)}
	}
	return b, &messages.TaskAccepted{Task: summary(t), Degraded: missed.header()}
}

// orderBackup commits the entry of a backup, freezes the store as it is before
// it, and tells keeper and nodes, all while no write gets a place.
func (c *Cluster) orderBackup(b *backup, kind string, t *store.Task) error {
	e, err := newEntry(&store.Entry{
		Kind: kind, Task: t, Params: mustJSON(params{Backup: b.uid}), Nodes: c.reachableIDs(),
	}, c.backupTable())
	if err != nil {
		return err
	}
	c.cut.Lock()
	defer c.cut.Unlock()
	// What nodes have said until now is in the copy too, so that it is not asked again.
	if err := c.store.Commit(c.ctx, &store.Batch{}); err != nil {
		return fmt.Errorf("flush the store: %w", err)
	}
	if b.frozen, err = c.store.Freeze(c.ctx); err != nil {
		return fmt.Errorf("hold on to the store: %w", err)
	}
	if err := c.store.Commit(c.ctx, &store.Batch{Tasks: []*store.Task{t}, Entries: []*store.Entry{e.row}}); err != nil {
		b.frozen.Release()
		return err
	}
	c.backups.Store(b.uid, b)
	c.tell(c.keeper, &track{task: t, entries: []*entry{e}})
	for _, n := range e.targets() {
		c.tell(c.nodes[n].pid, &deliver{entry: e})
	}
	return nil
}

// newBackup makes the directory of a backup that begins now. No two have one name.
func newBackup(base string, now time.Time) (*backup, error) {
	if err := os.MkdirAll(base, 0o700); err != nil {
		return nil, err
	}
	for ; ; now = now.Add(time.Millisecond) {
		b := &backup{uid: api.DumpUID(now), done: make(chan struct{})}
		b.dir = filepath.Join(base, b.uid)
		if err := os.Mkdir(b.dir, 0o700); !errors.Is(err, os.ErrExist) {
			return b, err
		}
	}
}

// missBackup says what a backup begun now will lack, and the shards of which no
// group has a quorum of nodes in service.
func (c *Cluster) missBackup() (*degradation, topology.ShardSet) {
	states := c.views.load().states
	up := func(n topology.NodeIndex) bool { return states[n].up() }
	for _, t := range c.backupTables() {
		if lost := quorum.Impossible(t, t.All(), up); !lost.Empty() {
			return nil, lost
		}
	}
	t := c.newest.Table(c.opts.Shards)
	w := quorum.NewWrite(t, t.All())
	for n := range states {
		switch {
		case !t.Has(n):
		case up(n):
			w.Add(n, quorum.Accepted)
		default:
			w.Add(n, quorum.Failed)
		}
	}
	missed := &degradation{}
	r := w.Result()
	missed.add(groupIDs(t.Snapshot(), r.Groups), r.Shards)
	return missed, topology.ShardSet{}
}

// backupTables lists where the shards of all indexes lie, and those of a new one.
func (c *Cluster) backupTables() []*topology.Table {
	return append(c.registry.tables(), c.newest.Table(c.opts.Shards))
}

// backupTable is the table of the entries of backups, which are about no shard.
func (c *Cluster) backupTable() *topology.Table { return c.newest.Table(1) }

// reachableIDs lists all nodes that anything may lie on, but for former ones that
// have no address any more or were released.
func (c *Cluster) reachableIDs() []string {
	var ids []string
	for i, n := range c.fleet.Nodes() {
		if n.Address != "" && !c.nodes[i].released.Load() {
			ids = append(ids, n.ID)
		}
	}
	return ids
}

// foldBackup decides a backup from its parts. Nodes that are away are not waited
// for once every shard of every index is in the backups of a quorum of a group.
func foldBackup(tables []*topology.Table, parts map[topology.NodeIndex]*part, mayCome func(topology.NodeIndex) bool) (verdict, json.RawMessage) {
	var failure json.RawMessage
	for n, p := range parts {
		switch {
		case p.state == store.DeliveryFailed:
			failure = p.err
		case !p.ended() && mayCome(n):
			return undecided, nil
		}
	}
	if failure != nil {
		return refusedByNodes, failure
	}
	applied := func(n topology.NodeIndex) bool { return parts[n] != nil && parts[n].state == store.DeliveryApplied }
	for _, t := range tables {
		if !quorum.Impossible(t, t.All(), applied).Empty() {
			return undecided, nil // until more nodes are back
		}
	}
	return carriedOut, nil
}

// BackUpStore writes a copy of the store, as it is now, into a directory that
// must not exist yet, while everything goes on.
func (c *Cluster) BackUpStore(ctx context.Context, dir string) error {
	return c.store.Backup(ctx, dir) //nolint:wrapcheck // it says what was tried, and where
}
