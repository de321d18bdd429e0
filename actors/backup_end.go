package actors

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/store"
)

// manifestName is the file that makes the directory of a backup a whole one.
const manifestName = "manifest.json"

// manifest says what belongs together: the store's copy beside it and a backup
// of every node.
type manifest struct {
	UID               string         `json:"uid"`
	Kind              string         `json:"kind"` // dump or snapshot
	ClusterID         string         `json:"clusterId"`
	CreatedAt         time.Time      `json:"createdAt"`
	Task              int64          `json:"task"`
	Entry             int64          `json:"entry"` // its place in the order of all writes
	ReplicationFactor int            `json:"replicationFactor"`
	Nodes             []manifestNode `json:"nodes"`
}

// manifestNode is a node's part of a backup.
type manifestNode struct {
	ID      string  `json:"id"`
	Address string  `json:"address"`
	Group   int     `json:"group"`
	State   string  `json:"state"`             // done, or missed: it was away
	Tasks   []int64 `json:"nodeTasks"`         // of the node
	DumpUID string  `json:"dumpUid,omitempty"` // the node's file is named so
}

// backupEnd describes the backup that a task made, nil for other tasks.
func (k *taskKeeper) backupEnd(ot *openTask) *manifest {
	if len(ot.entries) != 1 || !backsUp(ot.entries[0].e.row.Kind) {
		return nil
	}
	oe := ot.entries[0]
	m := &manifest{
		UID: oe.e.p.Backup, Kind: oe.e.row.Kind, ClusterID: k.c.store.ClusterID(), CreatedAt: ot.row.EnqueuedAt,
		Task: ot.row.UID, Entry: oe.e.row.LSN, ReplicationFactor: k.c.newest.ReplicationFactor(),
	}
	for n, node := range k.c.fleet.Nodes() {
		p := oe.parts[n]
		if p == nil {
			continue
		}
		mn := manifestNode{ID: node.ID, Address: node.Address, Group: node.Group, State: "missed", Tasks: append([]int64{}, p.nodeTasks...)}
		if p.state == store.DeliveryApplied {
			mn.State, mn.DumpUID = "done", dumpUIDOf(p.details)
		}
		m.Nodes = append(m.Nodes, mn)
	}
	return m
}

// dumpUIDOf finds the dump among the details of a node's tasks.
func dumpUIDOf(details []json.RawMessage) string {
	for _, raw := range details {
		var d struct{ DumpUID string }
		if json.Unmarshal(raw, &d) == nil && d.DumpUID != "" {
			return d.DumpUID
		}
	}
	return ""
}

// endBackup completes the directory of a backup, or removes it. What goes wrong
// becomes the error of the task; only when Miroir stops it returns one. It may be
// called again for the same end.
func (c *Cluster) endBackup(m *manifest, end *store.Task) error {
	base, code := c.backupDir(m.Kind), "dump_process_failed"
	if m.Kind == kindSnapshot {
		code = "internal"
	}
	dir := filepath.Join(base, m.UID)
	err := c.untilCopied(m.UID)
	if c.ctx.Err() != nil {
		return fmt.Errorf("end a backup: %w", context.Cause(c.ctx)) // after the next start
	}
	if end.Status == api.Succeeded {
		if err == nil {
			err = m.write(dir)
		}
		if err != nil {
			end.Status, end.Error = api.Failed, mustJSON(api.Errorf(code, "Miroir's own part of the backup is missing: %v.", err))
			end.Details = zeroDump(end.Details)
		}
	}
	switch {
	case end.Status != api.Succeeded:
		c.removeBackup(dir)
	case m.Kind == kindSnapshot:
		c.forgetOldSnapshots(base, m.UID)
	}
	return nil
}

// backupDir is where backups of a kind are.
func (c *Cluster) backupDir(kind string) string {
	if kind == kindSnapshot {
		return c.opts.SnapshotDir
	}
	return c.opts.DumpDir
}

func (c *Cluster) removeBackup(dir string) {
	if err := os.RemoveAll(dir); err != nil {
		c.log.WithError(err).Warn("what a failed backup left behind cannot be removed")
	}
}

// dropBackup removes a backup that was taken back.
func (c *Cluster) dropBackup(kind, uid string) {
	c.spawn("end of a backup", func() {
		_ = c.untilCopied(uid) // it goes, copied or not
		c.backups.Delete(uid)
		c.removeBackup(filepath.Join(c.backupDir(kind), uid))
	}, nil)
}

// untilCopied waits for the store's copy. A copy that was under way when Miroir
// ended is there as a whole or not at all.
func (c *Cluster) untilCopied(uid string) error {
	if b, ok := c.backups.Load(uid); ok {
		b := b.(*backup) //nolint:forcetypeassert // nothing else is in it
		<-b.done
		return b.err
	}
	return nil
}

// write puts the manifest beside the store's copy.
func (m *manifest) write(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, stateDir)); err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return errors.New("the proxy was stopped while its store was copied")
		}
		return err
	}
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".manifest-*")
	if err != nil {
		return err
	}
	_, err = f.Write(append(data, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), filepath.Join(dir, manifestName)); err != nil {
		return err
	}
	return errors.Join(syncDir(dir), syncDir(filepath.Dir(dir)))
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // the path is ours
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// forgetOldSnapshots removes our parts of earlier snapshots: nodes have replaced
// theirs.
func (c *Cluster) forgetOldSnapshots(base, newest string) {
	list, err := os.ReadDir(base)
	for _, d := range list {
		if d.Name() >= newest || !isBackup(filepath.Join(base, d.Name()), d.Name()) {
			continue
		}
		err = errors.Join(err, os.RemoveAll(filepath.Join(base, d.Name())))
	}
	if err != nil {
		c.log.WithError(err).Warn("older snapshots cannot be removed")
	}
}

// isBackup reports whether a directory is a whole backup of ours.
func isBackup(dir, uid string) bool {
	data, err := os.ReadFile(filepath.Join(dir, manifestName)) //nolint:gosec // the path is ours
	var m manifest
	return err == nil && json.Unmarshal(data, &m) == nil && m.UID == uid
}

// zeroDump shows no dump.
func zeroDump(details json.RawMessage) json.RawMessage {
	if len(details) == 0 {
		return details
	}
	return mustJSON(&api.Details{DumpUID: api.NullOpt[string]()})
}

// dropRest ends the parts of a backup that is over: nobody catches up with it.
func (k *taskKeeper) dropRest(oe *openEntry) {
	if !backsUp(oe.e.row.Kind) {
		return
	}
	for n, p := range oe.parts {
		if !p.ended() {
			p.state = store.DeliveryDropped
			k.persist(oe, n)
			k.c.tell(k.c.nodes[n].pid, &forgetDelivery{lsn: oe.e.row.LSN})
		}
	}
}

// forgetDelivery takes a delivery out of a node's lane, or out of what is
// followed. A call that is under way is let end.
type forgetDelivery struct{ lsn int64 }

func (a *nodeActor) onForget(m *forgetDelivery) {
	a.follow.forget(m.lsn)
	if d := a.lane.find(m.lsn); d != nil && !(a.h.laneBusy && a.h.busyWith == m.lsn) {
		d.release()
		a.lane.remove(m.lsn)
		a.h.behind.Store(int64(len(a.lane.queue)))
	}
	a.advance()
}
