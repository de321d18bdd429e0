package actors

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/nodeclient"
)

// A node's backup holds what the node has accepted, carried out or not, until
// the backup begins. So what is ordered behind it must not be sent before.

// heldBackup is a backup that the node has accepted and not begun.
type heldBackup struct {
	lsn   int64
	task  int64
	until time.Time
}

// mindHold ends the hold of a lane when the node has begun its backup, and gives
// the node's part up when that takes too long.
func (a *nodeActor) mindHold(begun []int64, now time.Time) {
	held := a.follow.held
	switch {
	case held == nil:
	case slices.Contains(begun, held.task):
		a.follow.held = nil
	case now.After(held.until):
		fl := a.follow.byTask[held.task]
		a.follow.forget(held.lsn)
		if fl == nil {
			return
		}
		fl.failed = true
		fl.err = mustJSON(api.Errorf("miroir_overloaded", "Node %s did not begin its part of the backup within %s, so much has it to do. "+
			"Later writes wait for that no longer; ask for the backup again when the node has less to do.", a.h.node.ID, a.c.opts.BackupHold))
		a.finish(fl)
	}
}

// lookAtBackup completes what a node says of the task of a backup: whether it has
// begun it, and as a failure when later writes have got into it.
func (c *Cluster) lookAtBackup(h *nodeHandle, t *nodeTask) (begun bool) {
	switch {
	case t.Status == "processing" && t.Batch != nil:
		begun, err := c.backupBegun(h, *t.Batch)
		return begun && err == nil // else the next poll asks again
	case t.Status == "succeeded":
		spoiled, err := c.backupSpoiled(h, t)
		switch {
		case err != nil:
			t.Status = "processing" // the next poll asks again
		case spoiled:
			t.Status = "failed"
			t.Error = mustJSON(api.Errorf("miroir_overloaded", "Node %s began its part of the backup anew when later writes had come, so they are in it: "+
				"it was restarted. Ask for the backup again.", h.node.ID))
		}
	}
	return false
}

// writeTypes are the tasks of nodes that change what a backup shows.
const writeTypes = "documentAdditionOrUpdate,documentEdition,documentDeletion,settingsUpdate,indexCreation,indexDeletion,indexUpdate"

// backupSpoiled reports whether a node has been given a later write before it
// began a backup. A node that restarts begins its backup anew.
func (c *Cluster) backupSpoiled(h *nodeHandle, t *nodeTask) (bool, error) {
	ctx, cancel := c.within(c.opts.WriteCallTimeout)
	defer cancel()
	resp, err := c.ask(ctx, h, getCall(fmt.Sprintf("/tasks?reverse=true&limit=1&types=%s&from=%d", writeTypes, t.UID+1)))
	if err != nil {
		return false, err
	}
	var page struct {
		Results []struct{ EnqueuedAt time.Time }
	}
	if err := json.Unmarshal(resp.Body, &page); err != nil {
		return false, fmt.Errorf("read the node's tasks: %w", err)
	}
	return len(page.Results) > 0 && !page.Results[0].EnqueuedAt.After(t.StartedAt), nil
}

// backupBegun asks whether a node has passed the point up to which its backup
// takes in new tasks.
func (c *Cluster) backupBegun(h *nodeHandle, batch int64) (bool, error) {
	ctx, cancel := c.within(c.opts.WriteCallTimeout)
	defer cancel()
	resp, err := c.ask(ctx, h, getCall(fmt.Sprintf("/batches/%d", batch)))
	if err != nil {
		return false, err
	}
	var b struct {
		Progress *struct {
			Steps []struct{ CurrentStep string }
		}
		FinishedAt *time.Time
	}
	if err := json.Unmarshal(resp.Body, &b); err != nil {
		return false, fmt.Errorf("read batch %d: %w", batch, err)
	}
	if b.Progress == nil || len(b.Progress.Steps) == 0 {
		return b.FinishedAt != nil, nil
	}
	step := b.Progress.Steps[0].CurrentStep
	return !slices.ContainsFunc(earlySteps, func(s string) bool { return strings.Contains(step, s) }), nil
}

// earlySteps are those of a backup after which a node has chosen the tasks that
// belong to it: of a dump the first two, of a snapshot the copy of its tasks.
var earlySteps = []string{"start the", "api keys", "index scheduler"}

// holdsBackup says that the lane must wait for a delivery that was accepted.
func (f *follower) holdsBackup(d *delivery, until time.Time) {
	if backsUp(d.entry.row.Kind) && len(d.nodeTasks) > 0 {
		f.held = &heldBackup{lsn: d.entry.row.LSN, task: d.nodeTasks[0], until: until}
	}
}

// forget follows a delivery no longer.
func (f *follower) forget(lsn int64) {
	f.open = slices.DeleteFunc(f.open, func(fl *following) bool {
		if fl.d.entry.row.LSN != lsn {
			return false
		}
		for _, uid := range fl.d.nodeTasks {
			delete(f.byTask, uid)
		}
		return true
	})
	if f.held != nil && f.held.lsn == lsn {
		f.held = nil
	}
}

// backups lists the tasks of backups that are followed.
func (f *follower) backups() (tasks []int64) {
	for _, fl := range f.open {
		if backsUp(fl.d.entry.row.Kind) {
			tasks = append(tasks, fl.d.nodeTasks...)
		}
	}
	return tasks
}

// holdAgain makes the lane of a node that is back wait for the backups it had
// begun: it begins them anew.
func (f *follower) holdAgain(until time.Time) {
	for _, fl := range f.open {
		f.holdsBackup(fl.d, until)
	}
}

func getCall(path string) *nodeclient.Request {
	return &nodeclient.Request{Method: http.MethodGet, Path: path, Idempotent: true}
}
