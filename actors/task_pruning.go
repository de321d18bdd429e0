package actors

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/store"
)

// endedStatuses are those of tasks that may be forgotten.
var endedStatuses = []string{api.Succeeded, api.Failed, api.Canceled}

// pruneTasks keeps the history of tasks within its limit, until the cluster ends.
func (c *Cluster) pruneTasks() {
	ticker := time.NewTicker(c.opts.PruneInterval)
	defer ticker.Stop()
	for {
		if err := c.prune(c.ctx); err != nil && c.ctx.Err() == nil {
			c.log.WithError(err).Error("cannot look whether old tasks must be deleted; trying again")
		}
		select {
		case <-ticker.C:
		case <-c.ctx.Done():
			return
		}
	}
}

// prune deletes the oldest tenth of the tasks when the history is full, as
// Meilisearch does: by a task deletion, which everyone can see.
func (c *Cluster) prune(ctx context.Context) error {
	page, err := c.store.Tasks(ctx, &store.TaskQuery{Limit: 1})
	if err != nil {
		return err
	}
	c.metrics.tasksKept.Set(float64(page.Total))
	if page.Total < int64(c.opts.MaxTasks) {
		return nil
	}
	q := &store.TaskQuery{Statuses: endedStatuses}
	uids, err := c.store.MatchingTasks(ctx, q)
	if err != nil {
		return err
	}
	uids = uids[:min(len(uids), max(c.opts.MaxTasks/10, 2))]
	if len(uids) < 2 { // else the deletion would only make room for itself, for ever
		c.log.Warnf("there are %d tasks, and none that could be deleted: nearly all of them wait", page.Total)
		return nil
	}
	last, err := c.store.Task(ctx, uids[len(uids)-1])
	if err != nil {
		return err
	}
	before := last.EnqueuedAt.Add(time.Nanosecond).Format(time.RFC3339Nano)
	filter := fmt.Sprintf("?beforeEnqueuedAt=%s&statuses=succeeded,failed,canceled", url.QueryEscape(before))
	t := &store.Task{Type: api.TaskDeletion}
	o, err := c.writeOrder(ctx, t, len(uids), uids, filter)
	if err != nil {
		return err
	}
	c.log.Infof("there are %d tasks: the oldest %d that have ended are deleted by task %d", page.Total, len(uids), t.UID)
	c.deleteTasks(c.begun(t), o)
	c.metrics.tasksPruned.Add(float64(len(uids)))
	return nil
}
