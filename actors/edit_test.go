package actors

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/embedded"
	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/nodeclient"
	"github.com/miroir-search/miroir/store"
	"github.com/miroir-search/miroir/topology"
)

// counting plays the part of nodes that run functions, which embedded ones do not.
// The only function it knows adds one to n of every document that a node has; it
// fails at the document that it names.
type counting struct {
	nodeclient.Client
	f *fleet

	mu    sync.Mutex
	tries int
	edits map[string]int // by address: how often it was really done
	drop  map[string]int // by address: how many answers are lost
}

const countUp = "count up"

func newCountingFleet(t *testing.T, groups, perGroup, copies int) (*fleet, *counting) {
	t.Helper()
	c := &counting{Client: nodeclient.New(nodeclient.Options{}), edits: map[string]int{}, drop: map[string]int{}}
	f := newFleet(t, groups, perGroup, copies, func(o *Options) { o.Client = c })
	c.f = f
	return f, c
}

func (c *counting) Do(ctx context.Context, address string, r *nodeclient.Request) (*nodeclient.Response, error) {
	if strings.HasPrefix(r.Path, "/tasks") {
		listing := *r
		listing.Path = strings.Replace(r.Path, "&types="+api.DocumentEdition, "", 1) // here they are additions
		resp, err := c.Client.Do(ctx, address, &listing)
		if err == nil {
			resp.Body = bytes.ReplaceAll(resp.Body, []byte(`"receivedDocuments"`), []byte(`"deletedDocuments"`))
			resp.Body = bytes.ReplaceAll(resp.Body, []byte(`"indexedDocuments"`), []byte(`"editedDocuments"`))
		}
		return resp, err
	}
	base, found := strings.CutSuffix(r.Path, "/documents/edit")
	if !found {
		return c.Client.Do(ctx, address, r)
	}
	var body struct {
		Function string
		Filter   *string
	}
	if err := json.Unmarshal(r.Body, &body); err != nil {
		return nil, err
	}
	if body.Filter != nil && *body.Filter == "" {
		if !strings.Contains(body.Function, countUp) {
			return &nodeclient.Response{Status: 400, Body: mustJSON(api.NewError("bad_request", "Unknown function"))}, nil
		}
		return &nodeclient.Response{Status: 400, Body: mustJSON(api.EmptyFilter())}, nil
	}
	docs, err := c.documents(ctx, address, base)
	if err != nil {
		return nil, err
	}
	req := jsonCall(http.MethodPut, base+"/documents", docs)
	if strings.Contains(body.Function, "_miroir_g") {
		c.mu.Lock()
		c.tries++
		c.mu.Unlock()
		req = jsonCall(http.MethodPost, base+"/documents/delete-batch", []byte("[]"))
		if _, at, ok := strings.Cut(body.Function, "fails at "); ok && bytes.Contains(docs, []byte(`"id":`+at[:1]+`,`)) {
			c.node(address).Faults().AddTask(embedded.TaskFault{Index: strings.TrimPrefix(base, "/indexes/"), Code: "edit_documents_by_function_error", Times: 1})
		}
	} else {
		c.mu.Lock()
		c.edits[address]++
		c.mu.Unlock()
	}
	resp, err := c.Client.Do(ctx, address, req)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.drop[address] > 0 {
		c.drop[address]--
		return nil, &nodeclient.Error{Method: r.Method, Path: r.Path, Sent: true, Err: errors.New("the answer was lost")}
	}
	return resp, err
}

func (c *counting) node(address string) *embedded.Node {
	for _, n := range c.f.nodes {
		if n.URL() == address {
			return n
		}
	}
	panic("no node " + address)
}

// documents gives what a node has, with one more in n.
func (c *counting) documents(ctx context.Context, address, base string) ([]byte, error) {
	resp, err := c.Client.Do(ctx, address, &nodeclient.Request{Method: http.MethodGet, Path: base + "/documents?limit=10000"})
	if err != nil {
		return nil, err
	}
	var page struct {
		Results []struct {
			ID    int    `json:"id"`
			N     int    `json:"n"`
			Shard string `json:"_miroir_shard"`
			Seq   string `json:"_miroir_seq"`
		}
	}
	if err := json.Unmarshal(resp.Body, &page); err != nil {
		return nil, err
	}
	for i := range page.Results {
		page.Results[i].N++
	}
	return json.Marshal(page.Results)
}

func editing(function string) *messages.EditDocuments {
	return &messages.EditDocuments{IndexUID: "films", Function: function}
}

// counted checks n of every document on every node.
func (f *fleet) counted(docs, want int) {
	f.t.Helper()
	all := f.equal("films")
	if len(all) != docs {
		f.t.Errorf("%d documents, want %d", len(all), docs)
	}
	for id, doc := range all {
		var d struct{ N int }
		if err := json.Unmarshal([]byte(doc), &d); err != nil || d.N != want {
			f.t.Errorf("document %s was counted up %d times, want %d", id, d.N, want)
		}
	}
}

func numbered(docs int) string {
	var list []string
	for i := range docs {
		list = append(list, fmt.Sprintf(`{"id":%d,"n":0}`, i))
	}
	return "[" + strings.Join(list, ",") + "]"
}

func TestAnEditReachesEveryDocumentOnce(t *testing.T) {
	f, c := newCountingFleet(t, 2, 2, 1)
	f.must(adding("films", numbered(40)))
	task := f.must(editing(countUp))
	var d struct {
		EditedDocuments, DeletedDocuments int
		Function                          string
		OriginalFilter, Context           *string
	}
	if err := json.Unmarshal(task.Details, &d); err != nil || d.EditedDocuments != 40 || d.Function != countUp || d.OriginalFilter != nil {
		t.Errorf("details %s", task.Details)
	}
	f.down(3)
	f.must(editing(countUp))
	f.must(updating("films", `[{"id":0,"n":2}]`)) // behind the edit
	f.up(3)
	f.counted(40, 2)
	if c.tries == 0 {
		t.Error("nothing was tried first")
	}
	for address, n := range c.edits {
		if n != 2 {
			t.Errorf("%s did %d edits, want 2", address, n)
		}
	}
}

// A function that fails for one document fails the task and changes nothing, also
// on nodes that do not have that document.
func TestAnEditThatFailsForOneDocumentChangesNothing(t *testing.T) {
	f, c := newCountingFleet(t, 2, 2, 1)
	f.must(adding("films", numbered(10)))
	task := f.ended(f.accepted(editing(countUp + ", fails at 3")))
	if task.Status != api.Failed || errorCode(task.Error) != "edit_documents_by_function_error" || !strings.Contains(string(task.Details), `"editedDocuments":0`) {
		t.Errorf("%s: %s %s", task.Status, task.Error, task.Details)
	}
	f.counted(10, 0)
	if len(c.edits) > 0 {
		t.Errorf("edits were done: %v", c.edits)
	}
	f.must(editing(countUp)) // the index takes writes again
	f.counted(10, 1)
}

// Where every node has every document nothing has to be tried.
func TestAnEditOfFullCopiesIsNotTried(t *testing.T) {
	f, c := newCountingFleet(t, 2, 1, 1)
	f.must(adding("films", numbered(10)))
	f.must(editing(countUp))
	f.counted(10, 1)
	if c.tries != 0 {
		t.Errorf("tried %d times", c.tries)
	}
}

func TestAnEditWhoseAnswerIsLostIsNotDoneTwice(t *testing.T) {
	f, c := newCountingFleet(t, 2, 2, 1)
	f.must(adding("films", numbered(20)))
	c.mu.Lock()
	for _, n := range f.nodes {
		c.drop[n.URL()] = 2 // of the try and of the edit
	}
	c.mu.Unlock()
	f.eventually("the edit is accepted", func() bool { return f.write(editing(countUp)).Task != nil })
	f.idle()
	for address, n := range c.edits {
		if n > 1 {
			t.Errorf("%s was sent %d edits", address, n)
		}
	}
	f.counted(20, 1)
}

func TestAnEditWhoseAnswerIsLostIsNotDoneTwiceOnACopyBeingRebuilt(t *testing.T) {
	f, c := newCountingFleet(t, 2, 1, 1)
	f.must(adding("films", numbered(20)))
	release := f.holdRebuilds()
	f.failNext(1, "documentAdditionOrUpdate")
	f.must(adding("films", numbered(20)))
	f.eventually("a copy is to be rebuilt", func() bool { return f.c.rebuilds.get(rebuildKey{1, f.internal("films")}) != nil })
	c.mu.Lock()
	c.drop[f.nodes[1].URL()] = 1
	c.mu.Unlock()
	f.must(editing(countUp))
	f.eventually("the copy has done it", func() bool {
		done := make(chan bool, 1)
		f.c.tell(f.c.keeper, &askApplied{indexID: f.internal("films"), upTo: math.MaxInt64, nodes: []topology.NodeIndex{1}, reply: done})
		return <-done
	})
	if n := c.edits[f.nodes[1].URL()]; n != 1 {
		t.Errorf("the copy was sent %d edits", n)
	}
	release()
	f.readAgain()
	f.counted(20, 1)
}

func TestAFunctionThatNodesDoNotCompileIsNoTask(t *testing.T) {
	f, _ := newCountingFleet(t, 1, 2, 1)
	f.must(adding("films", numbered(3)))
	for function, code := range map[string]string{"something else": "bad_request", countUp + " _miroir_shard": "miroir_reserved_field"} {
		if a := f.write(editing(function)); a.Err == nil || errorCode(mustJSON(a.Err)) != code {
			t.Errorf("%s: %v, want %s", function, a.Err, code)
		}
	}
	page, err := f.c.Tasks(t.Context(), &store.TaskQuery{Limit: 10})
	if err != nil || page.Total != 1 {
		t.Errorf("%v: tasks %+v", err, page)
	}
}

// Between the try and the edit nothing gets lost by a crash, and writes wait.
func TestATriedEditSurvivesCrashes(t *testing.T) {
	f, c := newCountingFleet(t, 2, 2, 1)
	f.must(adding("films", numbered(20)))
	for round, crash := range []func(){func() { f.crashSequencer("films") }, f.crashKeeper, func() { f.crashNode(0) }, func() {
		f.stop()
		c.Client = nodeclient.New(nodeclient.Options{})
		f.start()
	}} {
		for _, n := range f.nodes {
			n.PauseTasks() // the try does not end
		}
		edit := f.accepted(editing(countUp))
		crash()
		behind := make(chan *messages.TaskAccepted, 1)
		go func() { behind <- f.write(updating("films", fmt.Sprintf(`[{"id":100,"n":%d}]`, round+1))) }()
		for _, n := range f.nodes {
			n.ResumeTasks()
		}
		if task := f.ended(edit); task.Status != api.Succeeded {
			t.Fatalf("round %d: %s %s", round, task.Status, task.Error)
		}
		if a := <-behind; a.Err != nil {
			f.must(updating("films", fmt.Sprintf(`[{"id":100,"n":%d}]`, round+1)))
		}
		f.counted(21, round+1)
	}
}

func TestCompactionIsATaskOfAllNodes(t *testing.T) {
	f := newFleet(t, 2, 2, 1)
	f.must(adding("films", numbered(20)))
	task := f.must(&messages.CompactIndex{IndexUID: "films"})
	var d struct{ PreCompactionSize, PostCompactionSize string }
	if err := json.Unmarshal(task.Details, &d); err != nil || task.Type != api.IndexCompaction || d.PreCompactionSize == "" || d.PostCompactionSize == "" {
		t.Errorf("%s %s", task.Type, task.Details)
	}
	if task := f.ended(f.accepted(&messages.CompactIndex{IndexUID: "none"})); errorCode(task.Error) != "index_not_found" {
		t.Errorf("%s %s", task.Status, task.Error)
	}
	// A node that cannot compact has all documents and goes on being read.
	f.nodes[0].Faults().AddTask(embedded.TaskFault{Code: "no_space_left_on_device", Times: 1})
	f.must(&messages.CompactIndex{IndexUID: "films"})
	f.equal("films")
	if p, a := f.search("films", `{}`); len(p.Hits) != 20 || a.Degraded != "" {
		t.Errorf("%d hits, degraded %q", len(p.Hits), a.Degraded)
	}
}

// A write that has to wait for earlier ones is told at once that no group can take
// it.
func TestAWriteThatWaitsForNothingIsRefused(t *testing.T) {
	f := newFleet(t, 1, 2, 1)
	f.must(adding("films", numbered(10)))
	for _, n := range f.nodes {
		n.PauseTasks() // the deletion does not end, and only the nodes know what is left
	}
	f.accepted(&messages.DeleteDocumentsByFilter{IndexUID: "films", Filter: json.RawMessage(`"id = 3"`)})
	f.down(0)
	f.down(1)
	if a := f.write(adding("films", `[{"id":1}]`)); a.Err == nil || errorCode(mustJSON(a.Err)) != "miroir_no_quorum" {
		t.Errorf("%v", a.Err)
	}
	f.up(0)
	f.up(1)
	for _, n := range f.nodes {
		n.ResumeTasks()
	}
	f.idle()
}
