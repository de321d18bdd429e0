package actors

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/miroir-search/miroir/nodeclient"
	"github.com/miroir-search/miroir/store"
)

// Messages of the follower, the part of a node actor that waits for the ends of
// the node's tasks.
type (
	followDue struct{ incarnation int }
	followed  struct {
		incarnation int
		asked       []int64
		tasks       []nodeTask
		newest      int64   // of all the node's tasks, when some that were asked for are missing
		begun       []int64 // backups that the node has begun
		err         error
	}
)

// follower keeps the deliveries that the node has accepted and not finished.
type follower struct {
	open    []*following
	byTask  map[int64]*following
	asking  bool
	planned bool
	round   int // polls since something last happened
	held    *heldBackup
}

// following is one accepted delivery.
type following struct {
	d       *delivery
	left    int
	failed  bool
	details []json.RawMessage
	err     json.RawMessage
}

func (f *follower) pending() int { return len(f.open) }

// followDelivery follows a delivery that the node has accepted.
func (a *nodeActor) followDelivery(d *delivery) {
	a.follow.add(d)
	a.follow.holdsBackup(d, time.Now().Add(a.c.opts.BackupHold))
}

func (f *follower) add(d *delivery) {
	if f.byTask == nil {
		f.byTask = map[int64]*following{}
	}
	fl := &following{d: d, left: len(d.nodeTasks)}
	f.open = append(f.open, fl)
	for _, uid := range d.nodeTasks {
		f.byTask[uid] = fl
	}
	f.round = 0
}

// followBatch is how many tasks one poll asks for.
const followBatch = 100

// next lists the uids of the next poll, oldest first.
func (f *follower) next() []int64 {
	var uids []int64
	for _, fl := range f.open {
		for _, uid := range fl.d.nodeTasks {
			if f.byTask[uid] != nil {
				uids = append(uids, uid)
			}
			if len(uids) == followBatch {
				return uids
			}
		}
	}
	return uids
}

// end takes note of the end of one task; it returns the delivery when that was
// its last.
func (f *follower) end(t *nodeTask) *following {
	fl := f.byTask[t.UID]
	if fl == nil {
		return nil
	}
	delete(f.byTask, t.UID)
	fl.left--
	fl.details = append(fl.details, t.Details)
	if t.Status != "succeeded" && !fl.failed {
		fl.failed = true
		fl.err = t.Error
		if len(fl.err) == 0 || string(fl.err) == "null" {
			fl.err = fmt.Appendf(nil, `{"message":"The node ended the task as %s.","code":"internal","type":"internal","link":"https://docs.meilisearch.com/errors#internal"}`, t.Status)
		}
	}
	if fl.left > 0 {
		return nil
	}
	if f.held != nil && f.held.task == t.UID {
		f.held = nil
	}
	for i, o := range f.open {
		if o == fl {
			f.open = append(f.open[:i], f.open[i+1:]...)
			break
		}
	}
	return fl
}

// followSoon plans the next poll, when there is something to ask for.
func (a *nodeActor) followSoon(wait time.Duration) {
	if a.follow.asking || a.follow.planned || a.follow.pending() == 0 || !a.health.state.up() {
		return
	}
	a.follow.planned = true
	self, inc := a.self(), a.incarnation
	time.AfterFunc(max(wait, 2*time.Millisecond), func() { a.c.tell(self, &followDue{inc}) })
}

func (a *nodeActor) onFollowDue() {
	a.follow.planned = false
	uids := a.follow.next()
	if a.follow.asking || len(uids) == 0 || !a.health.state.up() {
		return
	}
	a.follow.asking = true
	c, h, self := a.c, a.h, a.self()
	backups := a.follow.backups()
	res := &followed{incarnation: a.incarnation, asked: uids, err: errNodeRestarting}
	c.spawn("follower", func() {
		defer func() { c.tell(self, res) }()
		if res.tasks, res.err = c.listTasks(h, uids); res.err == nil && len(res.tasks) < len(uids) {
			ctx, cancel := c.within(c.opts.WriteCallTimeout)
			defer cancel()
			res.newest, res.err = c.newestTask(ctx, h, "")
		}
		for i := range res.tasks {
			if t := &res.tasks[i]; slices.Contains(backups, t.UID) && c.lookAtBackup(h, t) {
				res.begun = append(res.begun, t.UID)
			}
		}
	}, nil)
}

func (c *Cluster) listTasks(h *nodeHandle, uids []int64) ([]nodeTask, error) {
	ctx, cancel := c.within(c.opts.WriteCallTimeout)
	defer cancel()
	var b strings.Builder
	fmt.Fprintf(&b, "/tasks?limit=%d&uids=", len(uids))
	for i, uid := range uids {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatInt(uid, 10))
	}
	resp, err := c.ask(ctx, h, &nodeclient.Request{Method: http.MethodGet, Path: b.String(), Idempotent: true})
	if err != nil {
		return nil, err
	}
	var page nodeTasks
	if err := json.Unmarshal(resp.Body, &page); err != nil {
		return nil, fmt.Errorf("read the node's tasks: %w", err)
	}
	return page.Results, nil
}

func (a *nodeActor) onFollowed(m *followed) {
	if m.incarnation != a.incarnation {
		return
	}
	a.follow.asking = false
	if m.err != nil {
		if a.health.state.up() {
			a.fail(m.err.Error())
		}
		return
	}
	if a.lostTasks(m) {
		return
	}
	a.mindHold(m.begun, time.Now())
	moved := false
	for i := range m.tasks {
		t := &m.tasks[i]
		if t.Status == "processing" {
			if fl := a.follow.byTask[t.UID]; fl != nil {
				a.c.tell(a.c.keeper, &deliveryStarted{lsn: fl.d.entry.row.LSN})
			}
		}
		if !t.finished() {
			continue
		}
		moved = true
		if fl := a.follow.end(t); fl != nil {
			a.finish(fl)
		}
	}
	if moved {
		a.follow.round = 0
	} else {
		a.follow.round++
	}
	a.followSoon(nodeWaits(a.follow.round))
	a.advance()
}

// forgotten is the error of a task whose end nobody saw.
var forgotten = json.RawMessage(`{"message":"The node has forgotten the task before its end was seen.","code":"internal","type":"internal","link":"https://docs.meilisearch.com/errors#internal"}`)

// lostTasks notices that the node does not know tasks it had accepted. When its tasks
// end before them it has lost data, and the next probe finds out how much; otherwise
// they were deleted from its list, and what became of them is unknown.
func (a *nodeActor) lostTasks(m *followed) bool {
	if len(m.tasks) >= len(m.asked) {
		return false
	}
	known := map[int64]bool{}
	for _, t := range m.tasks {
		known[t.UID] = true
	}
	for _, uid := range m.asked {
		switch {
		case known[uid]:
		case m.newest < uid:
			a.fail(fmt.Sprintf("it has forgotten its task %d, so it has lost data", uid))
			return true
		default:
			m.tasks = append(m.tasks, nodeTask{UID: uid, Status: "failed", Error: forgotten})
		}
	}
	return false
}

func (a *nodeActor) finish(fl *following) {
	m := &deliveryChanged{
		lsn: fl.d.entry.row.LSN, node: a.h.index, state: store.DeliveryApplied,
		nodeTasks: fl.d.nodeTasks, details: fl.details, err: fl.err,
	}
	if fl.failed {
		m.state = store.DeliveryFailed
	}
	a.c.tell(a.c.keeper, m)
}
