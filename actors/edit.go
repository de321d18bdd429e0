package actors

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/nodeclient"
	"github.com/miroir-search/miroir/rawjson"
	"github.com/miroir-search/miroir/store"
	"github.com/miroir-search/miroir/topology"
)

// Editing documents by a function. Nodes run it, each over the documents it has. A
// node takes all its edits back when the function fails for one document, and other
// nodes, which have other documents, would not. So unless every node has every
// document, all nodes try the function first, in one step of the order, and the
// index's sequencer lets nothing follow but the edit itself, once no node has said
// no. A task whose try fails has changed nothing anywhere.

// editTried says that the try of an edit was carried out: the edit may follow.
type editTried struct {
	entry *entry
	task  *store.Task
}

// editChecked is what a node says about the function of an edit.
type editChecked struct {
	msg *messages.EditDocuments
	err *api.Error
}

// IgnoreDeadLetterLogging says that a reply may outlive its coordinator.
func (*editChecked) IgnoreDeadLetterLogging() {}

func newEdit(m *messages.EditDocuments) (*write, *api.Error) {
	if mayNameReserved(m.Filter) {
		return nil, reservedField("filter")
	}
	if _, err := newEditScript(m.Function); err != nil {
		return nil, err
	}
	return &write{
		uid: m.IndexUID, kind: kindEdit, taskType: api.DocumentEdition, metadata: m.CustomMetadata,
		filter: m.Filter, function: m.Function, context: m.Context,
	}, nil
}

func editDetails(w *write) json.RawMessage {
	d := &api.Details{DeletedDocuments: api.NullOpt[uint64](), EditedDocuments: api.NullOpt[uint64](),
		OriginalFilter: api.NullOpt[string](), Context: api.NullOpt[json.RawMessage](), Function: api.Some(w.function)}
	if w.filter != nil {
		d.OriginalFilter = api.Some(string(w.filter))
	}
	if w.context != nil {
		d.Context = api.Some(w.context)
	}
	return mustJSON(d)
}

// edits tells the kinds of entries for which nodes run a function.
func edits(kind string) bool { return kind == kindEdit || kind == kindTryEdit }

// dropsUnnamed tells the kinds of writes of which only the nodes know which
// documents they remove.
func dropsUnnamed(kind string) bool { return kind == kindDeleteByFilter || kind == kindEdit }

// buildEdit makes the try of an edit, or the edit itself where it is one node's
// affair.
func (p *sequencePlan) buildEdit(s *planStep, w *write) {
	q := params{Filter: w.filter, Function: w.function, Context: w.context, PrimaryKey: p.state.pk, Geo: p.state.checks.wantsGeo()}
	kind := kindEdit
	if !everyNodeHasAll(p.table) {
		kind = kindTryEdit
	}
	p.entry(s, kind, q, w, true)
}

func everyNodeHasAll(t *topology.Table) bool {
	for n := range t.Snapshot().Nodes() {
		if !t.Held(n).Covers(t.All()) {
			return false
		}
	}
	return true
}

// followEdit makes the edit behind a try that no node has refused.
func (p *sequencePlan) followEdit(m *editTried) {
	s := &planStep{task: m.task, tried: m}
	e := p.entry(s, kindEdit, m.entry.p, nil, true)
	e.row.TaskUID = m.entry.row.TaskUID
	p.batch.Entries = append(p.batch.Entries, e.row)
	p.steps = append(p.steps, s)
}

// planEdit lets the edit follow its try, if that was told of; until then nothing
// else may.
func (a *sequencer) planEdit() {
	m := a.tried
	a.tried = nil
	if m == nil || m.entry.row.LSN != a.trial {
		return
	}
	p := newSequencePlan(a, nil)
	p.followEdit(m)
	a.commit(p)
}

// trialIn finds the try of an edit that has not followed yet.
func trialIn(m *restored) int64 {
	lsn := int64(0)
	for _, e := range m.entries {
		switch {
		case m.tasks[e.row.TaskUID] == nil || m.tasks[e.row.TaskUID].Finished():
		case e.row.Kind == kindTryEdit:
			lsn = e.row.LSN
		case e.row.Kind == kindEdit:
			lsn = 0
		}
	}
	return lsn
}

// editTried asks for the edit behind a try, at every look at its task until it is
// there.
func (k *taskKeeper) editTried(ot *openTask) (waits bool) {
	if len(ot.entries) == 0 {
		return false
	}
	last := ot.entries[len(ot.entries)-1]
	if last.e.row.Kind != kindTryEdit || last.verdict != carriedOut {
		return false
	}
	if h, ok := k.c.registry.handleByID(last.e.row.IndexID); ok {
		k.c.tell(k.c.root, &toSequencer{h, &editTried{entry: last.e, task: ot.row}})
	}
	return true
}

// editFailure gives the positions in an error of a task's function as the client
// counts them.
func editFailure(ot *openTask, failure json.RawMessage) json.RawMessage {
	for _, oe := range ot.entries {
		if oe.e.p.Function == "" || failure == nil {
			continue
		}
		if s, err := newEditScript(oe.e.p.Function); err == nil {
			return s.unwrapError(failure)
		}
	}
	return failure
}

// editCall is what a node is sent for an edit, or its try.
func (c *Cluster) editCall(e *entry) (*nodeclient.Request, error) {
	s, apiErr := newEditScript(e.p.Function)
	if apiErr != nil {
		return nil, fmt.Errorf("edit of entry %d: %w", e.row.LSN, apiErr)
	}
	body := editBody(s.wrap(e.row.Kind == kindTryEdit, e.p.PrimaryKey, e.p.Geo), e.p.Filter, e.p.Context)
	return jsonCall(http.MethodPost, "/indexes/"+e.row.IndexID+"/documents/edit", body), nil
}

func editBody(function string, filter, editContext json.RawMessage) []byte {
	body := append([]byte(`{"function":`), rawjson.AppendString(nil, []byte(function))...)
	if filter != nil {
		body = append(append(body, `,"filter":`...), filter...)
	}
	if editContext != nil {
		body = append(append(body, `,"context":`...), editContext...)
	}
	return append(body, '}')
}

// allowEdits turns on what editing by function needs at a node: nodes are emptied
// and replaced, so it is made sure before each edit.
func (c *Cluster) allowEdits(ctx context.Context, h *nodeHandle) error {
	ctx, cancel := context.WithTimeout(ctx, c.opts.WriteCallTimeout)
	defer cancel()
	req := jsonCall(http.MethodPatch, "/experimental-features", []byte(`{"editDocumentsByFunction":true}`))
	req.Idempotent = true
	_, err := c.ask(ctx, h, req)
	return err
}

// checkFunction has a node compile the function of an edit. An empty filter, which
// nodes refuse after they have compiled the function, keeps it from being a task.
func (c *Cluster) checkFunction(m *messages.EditDocuments) *api.Error {
	ctx, cancel := c.within(c.opts.WriteCallTimeout)
	defer cancel()
	last := errNodeBroken
	view := c.views.load()
	for n, h := range c.nodes {
		if !view.states[n].up() {
			continue
		}
		if last = c.allowEdits(ctx, h); last != nil {
			continue
		}
		path := "/indexes/" + url.PathEscape(m.IndexUID) + "/documents/edit"
		resp, err := c.client.Do(ctx, h.node.Address, jsonCall(http.MethodPost, path, editBody(m.Function, json.RawMessage(`""`), nil)))
		switch {
		case err != nil:
			last = err
			continue
		case errorCode(resp.Body) == "invalid_document_filter":
			return nil
		case resp.Status < 500 || errorCode(resp.Body) == api.CodeNotSupported:
			var e struct{ Message, Code string }
			if json.Unmarshal(resp.Body, &e) == nil && e.Code != "" {
				return api.NewError(e.Code, e.Message)
			}
		}
		last = answerError(resp)
	}
	return api.Errorf("miroir_no_quorum", "No node could look at the function, so nothing was written: %v.", last)
}

// sumSizes adds up a size that nodes write as text, such as "1.5 MiB", and divides
// it by the copies, so that it is as one node would have it.
func sumSizes(e *entry, parts map[topology.NodeIndex]*part, member string) (string, bool) {
	total, found := int64(0), false
	for _, p := range parts {
		for _, raw := range p.details {
			var d map[string]json.RawMessage
			var text string
			if json.Unmarshal(raw, &d) != nil || json.Unmarshal(d[member], &text) != nil {
				continue
			}
			if n, err := parseSize(text); err == nil {
				total += n
				found = true
			}
		}
	}
	snap := e.table.Snapshot()
	return api.FormatSize(total / int64(snap.Groups()*snap.ReplicationFactor())), found
}

var errNoSize = errors.New("no size")

func parseSize(text string) (int64, error) {
	var n float64
	var unit string
	if _, err := fmt.Sscanf(text, "%g %s", &n, &unit); err != nil {
		return 0, fmt.Errorf("read a size: %w", err)
	}
	for i, letter := range "BKMGTPE" {
		step := 1000.0
		switch {
		case unit == "" || rune(unit[0]) != letter:
			continue
		case len(unit) == 3:
			step = 1024
		}
		for range i {
			n *= step
		}
		return int64(n), nil
	}
	return 0, errNoSize
}
