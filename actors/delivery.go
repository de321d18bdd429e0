package actors

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/nodeclient"
)

// deliveryJob is an attempt to hand one entry to one node.
type deliveryJob struct {
	entry     *entry
	nodeTasks []int64
	uncertain bool
}

// deliveryResult is how far the attempt came.
type deliveryResult struct {
	outcome   report
	nodeTasks []int64
	refusal   json.RawMessage // the node's error object, when refused
	err       error
}

// runDelivery makes the calls of an entry in order. A call that may have
// arrived before is first looked for among the node's tasks, because the same
// write sent twice could pass a later one.
func (c *Cluster) runDelivery(ctx context.Context, h *nodeHandle, job deliveryJob) deliveryResult {
	res := deliveryResult{nodeTasks: job.nodeTasks}
	calls, release, err := c.calls(job.entry, h)
	if err != nil {
		res.outcome, res.err = reportMissed, err
		return res
	}
	defer release()
	if edits(job.entry.row.Kind) {
		if err := c.allowEdits(ctx, h); err != nil {
			res.outcome, res.err = reportMissed, err
			if job.uncertain {
				res.outcome = reportUnknown
			}
			return res
		}
	}
	for i := len(res.nodeTasks); i < len(calls); i++ {
		uid, found, refusal, err := c.deliverCall(ctx, h, &job, calls[i])
		switch {
		case err != nil:
			res.outcome, res.err = reportMissed, err
			if i > 0 || job.uncertain || mayHaveArrived(err) {
				res.outcome = reportUnknown
			}
			return res
		case refusal != nil:
			res.outcome, res.refusal, res.err = reportRefused, refusal, errors.New(string(refusal))
			return res
		}
		h.sawTask(uid)
		h.accounted[job.entry.row.IndexID] = uid
		res.nodeTasks = append(res.nodeTasks, uid)
		job.uncertain = found // the call behind one that had arrived may have arrived too
	}
	res.outcome = reportAccepted
	return res
}

// deliverCall makes one call, or finds that it has been made.
func (c *Cluster) deliverCall(ctx context.Context, h *nodeHandle, job *deliveryJob, req *nodeclient.Request) (uid int64, found bool, refusal json.RawMessage, err error) {
	// A backup that is made twice does no harm: the later one counts, and what is
	// ordered behind it has not been sent.
	// While the copy is being rebuilt its tasks are not ours to tell apart, but for
	// edits, which no rebuild sends; what a second arrival would spoil is compared anyway.
	kind := job.entry.row.Kind
	if job.uncertain && !backsUp(kind) && (edits(kind) || c.rebuilds.get(rebuildKey{h.index, job.entry.row.IndexID}) == nil) {
		if uid, found, err = c.findArrived(ctx, h, job.entry); err != nil || found {
			return uid, found, nil, err
		}
	}
	job.uncertain = false
	ctx, cancel := context.WithTimeout(ctx, c.opts.WriteCallTimeout)
	defer cancel()
	resp, err := c.client.Do(ctx, h.node.Address, req)
	switch {
	case err != nil:
		return 0, false, nil, err
	case resp.OK():
		if uid, err = taskUID(resp); err == nil {
			err = c.checkGap(h, uid)
		}
		return uid, false, nil, err
	case resp.Status >= 400 && resp.Status < 500 && resp.Status != http.StatusRequestTimeout && resp.Status != http.StatusTooManyRequests &&
		resp.Status != http.StatusUnauthorized && resp.Status != http.StatusForbidden && resp.Status != http.StatusUnprocessableEntity:
		return 0, false, resp.Body, nil
	}
	return 0, false, nil, answerError(resp)
}

// findArrived looks for the oldest task of the entry's index that the node has
// and we have not accounted for. We alone write to the node, one call at a
// time, so it is the call whose answer was lost.
func (c *Cluster) findArrived(ctx context.Context, h *nodeHandle, e *entry) (uid int64, found bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.opts.WriteCallTimeout)
	defer cancel()
	after, ok := h.accounted[e.row.IndexID]
	if !ok {
		after = h.base
	}
	path := "/tasks?reverse=true&limit=1&indexUids=" + url.QueryEscape(e.row.IndexID) + "&from=" + strconv.FormatInt(after+1, 10)
	if edits(e.row.Kind) {
		path += "&types=" + api.DocumentEdition
	}
	resp, err := c.ask(ctx, h, &nodeclient.Request{Method: http.MethodGet, Path: path, Idempotent: true})
	if err != nil {
		return 0, false, err
	}
	var page nodeTasks
	if err := json.Unmarshal(resp.Body, &page); err != nil {
		return 0, false, fmt.Errorf("read the node's tasks: %w", err)
	}
	if len(page.Results) == 0 {
		return 0, false, nil
	}
	c.log.WithField("node", h.node.ID).Infof("entry %d had arrived as task %d", e.row.LSN, page.Results[0].UID)
	return page.Results[0].UID, true, nil
}

// nodeTask is what we read of a node's task.
type nodeTask struct {
	UID     int64  `json:"uid"`
	TaskUID *int64 `json:"taskUid"`
	Batch   *int64 `json:"batchUid"`
	// StartedAt is zero until then.
	StartedAt time.Time       `json:"startedAt"`
	Status    string          `json:"status"`
	Details   json.RawMessage `json:"details"`
	Error     json.RawMessage `json:"error"`
}

func (t *nodeTask) finished() bool {
	return t.Status == "succeeded" || t.Status == "failed" || t.Status == "canceled"
}

type nodeTasks struct {
	Results []nodeTask `json:"results"`
}

// taskUID reads the uid of a 202 answer.
func taskUID(resp *nodeclient.Response) (int64, error) {
	var t nodeTask
	if err := json.Unmarshal(resp.Body, &t); err != nil || t.TaskUID == nil {
		return 0, fmt.Errorf("the node's answer %d has no taskUid", resp.Status)
	}
	return *t.TaskUID, nil
}

// nodeTask asks a node for one task.
func (c *Cluster) nodeTask(ctx context.Context, h *nodeHandle, uid int64) (*nodeTask, error) {
	resp, err := c.ask(ctx, h, &nodeclient.Request{Method: http.MethodGet, Path: "/tasks/" + strconv.FormatInt(uid, 10), Idempotent: true})
	if err != nil {
		return nil, err
	}
	t := &nodeTask{}
	if err := json.Unmarshal(resp.Body, t); err != nil {
		return nil, fmt.Errorf("read task %d: %w", uid, err)
	}
	return t, nil
}

// ask makes a call that must succeed: anything but 2xx is an error.
func (c *Cluster) ask(ctx context.Context, h *nodeHandle, req *nodeclient.Request) (*nodeclient.Response, error) {
	resp, err := c.client.Do(ctx, h.node.Address, req)
	if err != nil {
		return nil, err
	}
	if !resp.OK() {
		return nil, answerError(resp)
	}
	return resp, nil
}

// nodeAnswerError is an answer that says no.
type nodeAnswerError struct {
	Status int
	Body   []byte
}

func (e *nodeAnswerError) Error() string {
	if e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden {
		return fmt.Sprintf("it refused our key; set MIROIR_NODE_KEY to the master key of the nodes (it answered %d: %.200s)", e.Status, e.Body)
	}
	return fmt.Sprintf("it answered %d: %.200s", e.Status, e.Body)
}

func answerError(resp *nodeclient.Response) error {
	return &nodeAnswerError{resp.Status, resp.Body}
}

// mayHaveArrived is false for calls that surely did not reach the node, and for
// answers that say that the node did not take them.
func mayHaveArrived(err error) bool {
	if ce := (*nodeclient.Error)(nil); errors.As(err, &ce) {
		return ce.Sent
	}
	na := (*nodeAnswerError)(nil)
	if !errors.As(err, &na) {
		return true
	}
	// A 5xx without one of Meilisearch's codes comes from something in between,
	// which may have passed the request on.
	return na.Status >= 500 && errorCode(na.Body) == ""
}

// nodeWaits is how often a node's unfinished tasks are asked for: often at first,
// then ever more rarely, so that on average it adds less than a tenth to what they
// take.
func nodeWaits(round int) time.Duration {
	return time.Duration(min(5*math.Pow(1.15, float64(round)), 250) * float64(time.Millisecond))
}
