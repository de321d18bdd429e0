package actors

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/merge"
	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/rawjson"
)

// Read carries out one message of messages/reads.go and returns its answer, at
// the latest when ctx ends.
func (c *Cluster) Read(ctx context.Context, msg any) *messages.Answer {
	out := make(chan *messages.Answer, 1) // room for one: the coordinator never blocks
	stop := c.startRead(ctx, msg, func(a *messages.Answer) { out <- a })
	select {
	case a := <-out:
		return a
	case <-ctx.Done():
		stop()
		return &messages.Answer{Err: ended(ctx)}
	}
}

// Write carries out one message of messages/writes.go and returns its reply, at
// the latest when ctx ends. A write that was begun goes on without ctx.
func (c *Cluster) Write(ctx context.Context, msg any) *messages.TaskAccepted {
	out := make(chan *messages.TaskAccepted, 1)
	c.startWrite(msg, func(a *messages.TaskAccepted) { out <- a })
	select {
	case a := <-out:
		return a
	case <-ctx.Done():
		return &messages.TaskAccepted{Err: api.NewError("miroir_no_quorum",
			"The client left or its time was over; whether the write will be carried out is unknown.")}
	}
}

func ended(ctx context.Context) *api.Error {
	return api.Errorf("miroir_shard_unavailable", "The read was given up: %v.", context.Cause(ctx))
}

func (c *Cluster) startWrite(msg any, reply func(*messages.TaskAccepted)) {
	if m, ok := msg.(interface{ Options() *messages.WriteOptions }); ok && m.Options().Idempotency != nil {
		c.once(m.Options().Idempotency, msg, reply)
		return
	}
	c.begin(msg, nil, reply)
}

// begin starts the coordinator of a write, which gives the key back when it stops.
func (c *Cluster) begin(msg any, key *heldKey, reply func(*messages.TaskAccepted)) {
	if c.ctx.Err() != nil {
		c.discardPayload(msg)
		reply(&messages.TaskAccepted{Err: stopping()})
		c.keys.release(key)
		return
	}
	switch m := msg.(type) {
	case *messages.MakeBackup:
		c.makeBackup(m, key, reply)
		return
	case *messages.SwapIndexes:
		pid := c.sys.Root.SpawnPrefix(c.swapProps, c.opts.Name+"-swap-")
		c.tell(pid, &startSwap{msg: m, key: key, reply: reply})
		return
	case *messages.CancelTasks:
		c.startOrder(api.TaskCancelation, &m.TaskSelection, m.CustomMetadata, key, reply)
		return
	case *messages.DeleteTasks:
		c.startOrder(api.TaskDeletion, &m.TaskSelection, m.CustomMetadata, key, reply)
		return
	}
	pid := c.sys.Root.SpawnPrefix(c.writeProps, c.opts.Name+"-write-")
	c.tell(pid, &startWrite{msg: msg, key: key, reply: reply})
}

// startOrder begins a task about tasks.
func (c *Cluster) startOrder(taskType string, sel *messages.TaskSelection, metadata *string, key *heldKey, reply func(*messages.TaskAccepted)) {
	answer := &messages.TaskAccepted{Err: api.Internal("the request was interrupted; whether it was taken is unknown")}
	c.spawn("task order", func() {
		defer c.keys.release(key)
		defer func() { reply(answer) }()
		answer = c.orderTasks(taskType, sel, metadata, key.row())
	}, nil)
}

// startRead begins a read; the function it returns gives it up.
func (c *Cluster) startRead(ctx context.Context, msg any, reply func(*messages.Answer)) (stop func()) {
	stop = func() {}
	if c.ctx.Err() != nil {
		reply(&messages.Answer{Err: stopping()})
		return stop
	}
	if !c.moves.over() {
		end, then := c.moves.beginRead(), reply
		reply = func(a *messages.Answer) {
			end()
			then(a)
		}
	}
	start, answer := c.newRead(msg)
	switch {
	case answer != nil:
		reply(answer)
		return stop
	case start == nil:
		c.spawn("statistics", func() { reply(c.statistics(ctx, msg)) }, func(err error) {
			reply(&messages.Answer{Err: api.Internal(err.Error())})
		})
		return stop
	}
	start.ctx, start.reply = ctx, reply
	pid := c.sys.Root.SpawnPrefix(c.readProps, c.opts.Name+"-read-")
	c.tell(pid, start)
	return func() { c.sys.Root.Stop(pid) }
}

func stopping() *api.Error {
	return api.NewError("miroir_overloaded", "Miroir is stopping.")
}

// newRead turns a message into a read for a coordinator, or into an answer at
// once. Both are nil for statistics.
func (c *Cluster) newRead(msg any) (*startRead, *messages.Answer) {
	fail := func(e *api.Error) (*startRead, *messages.Answer) { return nil, &messages.Answer{Err: e} }
	if err := reservedIn(msg); err != nil {
		return fail(err)
	}
	switch m := msg.(type) {
	case *messages.Search:
		iv, body, err := c.asked(m.IndexUID, m.Body)
		if err != nil {
			return fail(err)
		}
		return &startRead{job: newSearchJob(iv, body, m.IncludeMetadata), onMissing: m.OnMissing}, nil
	case *messages.FederatedSearch:
		if err := rawjson.Validate(m.Body); err != nil {
			return fail(api.MalformedJSON(err.Error()))
		}
		job, body, err := c.newFederatedJob(bytes.TrimSpace(m.Body), m.IncludeMetadata)
		switch {
		case err != nil:
			return fail(err)
		case job == nil:
			return nil, &messages.Answer{Status: http.StatusOK, Body: body}
		}
		return &startRead{job: job, onMissing: m.OnMissing}, nil
	case *messages.FacetSearch:
		iv, body, err := c.asked(m.IndexUID, m.Body)
		if err != nil {
			return fail(err)
		}
		return &startRead{job: newFacetSearchJob(iv, body), onMissing: m.OnMissing}, nil
	case *messages.Similar:
		iv, body, err := c.asked(m.IndexUID, m.Body)
		if err != nil {
			return fail(err)
		}
		return &startRead{job: c.newSimilarJob(iv, body), onMissing: m.OnMissing}, nil
	case *messages.GetDocument:
		iv, ok := c.registry.lookup(m.IndexUID)
		if !ok {
			return fail(api.IndexNotFound(m.IndexUID))
		}
		return &startRead{job: newDocumentJob(iv, m.DocumentID, m.Query), onMissing: "error"}, nil
	case *messages.BrowseDocuments:
		iv, body, err := c.asked(m.IndexUID, m.Body)
		if err != nil {
			return fail(err)
		}
		job := newBrowseJob(iv, body, m.Query, m.IsGet)
		if job.deep() {
			return &startRead{job: &locateJob{browseJob: job, windows: map[legKey]merge.Window{}}}, nil
		}
		return &startRead{job: job}, nil
	case *messages.ListFields:
		iv, ok := c.registry.lookup(m.IndexUID)
		if !ok {
			return fail(api.IndexNotFound(m.IndexUID))
		}
		return &startRead{job: newFieldsJob(iv, m.Query), onMissing: m.OnMissing}, nil
	case *messages.GetIndexStats:
		if _, ok := c.registry.lookup(m.IndexUID); !ok {
			return fail(api.IndexNotFound(m.IndexUID))
		}
		return nil, nil
	case *messages.GetStats:
		return nil, nil
	}
	return fail(api.Internal(fmt.Sprintf("BUG: %T is not a read", msg)))
}

// asked finds the index that a read is about and checks the form of its body.
func (c *Cluster) asked(uid string, body []byte) (*indexView, []byte, *api.Error) {
	iv, ok := c.registry.lookup(uid)
	if !ok {
		return nil, nil, api.IndexNotFound(uid)
	}
	if err := rawjson.Validate(body); err != nil {
		return nil, nil, api.MalformedJSON(err.Error())
	}
	return iv, bytes.TrimSpace(body), nil // splicing counts on the braces being at the ends
}

// doorActor takes the messages of other actors and replies to their senders.
type doorActor struct{ c *Cluster }

func (d *doorActor) Receive(ctx actor.Context) {
	d.c.guard("door", func() { d.receive(ctx) }, func(any) {})
}

func (d *doorActor) receive(ctx actor.Context) {
	sender := ctx.Sender()
	switch m := ctx.Message().(type) {
	case *messages.Search, *messages.FederatedSearch, *messages.FacetSearch, *messages.Similar, *messages.GetDocument, *messages.BrowseDocuments,
		*messages.ListFields, *messages.GetIndexStats, *messages.GetStats:
		if sender == nil {
			return
		}
		read, cancel := d.c.within(d.c.opts.ReadTimeout + time.Second)
		d.c.startRead(read, m, func(a *messages.Answer) {
			cancel()
			d.c.tell(sender, a)
		})
	case *messages.AddDocuments, *messages.DeleteDocuments, *messages.DeleteDocumentsByFilter, *messages.ClearDocuments,
		*messages.CreateIndex, *messages.UpdateIndex, *messages.DeleteIndex, *messages.SwapIndexes, *messages.UpdateSettings,
		*messages.EditDocuments, *messages.CompactIndex, *messages.CancelTasks, *messages.DeleteTasks, *messages.MakeBackup:
		d.c.startWrite(m, func(a *messages.TaskAccepted) {
			if sender != nil {
				d.c.tell(sender, a)
			}
		})
	}
}
