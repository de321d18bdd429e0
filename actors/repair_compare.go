package actors

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/nodeclient"
	"github.com/miroir-search/miroir/payload"
	"github.com/miroir-search/miroir/rawjson"
	"github.com/miroir-search/miroir/topology"
)

// Sizes of a rebuild's calls.
const (
	chunkIDs   = 100_000 // ids of one stretch of shards, about
	batchFirst = 100     // documents compared by one pair of calls, at first
	batchMost  = 2000
	batchBytes = 4 << 20 // what a call should carry, about
	openTasks  = 8       // tasks of the target that are not waited for
	turnWait   = 5 * time.Minute
)

// prepare makes sure that the target has the index as the sequencer has it.
func (j *repairJob) prepare() error {
	j.report(func(p *rebuildProgress) { p.State, p.Copied, p.Total = "waiting", 0, 0 })
	ended, reply := make(chan laneCallEnd, 1), make(chan *watched, 1)
	newest := int64(-1)
	call := &laneCall{indexID: j.id(), ended: ended, run: func(ctx context.Context, call *laneCall, send sender) error {
		err := j.shape(ctx, call, send)
		if err == nil {
			newest, err = j.c.newestTask(ctx, j.c.nodes[j.target()], j.id())
		}
		return err
	}}
	j.watch(&watchIndex{call: call, node: j.target(), reply: reply})
	at, err := await(j, reply, time.Minute)
	if err != nil {
		return err
	}
	if at.gone {
		return errNoSuchIndex
	}
	end, err := await(j, ended, applyWait)
	if err == nil {
		err = end.err
	}
	if err != nil {
		return err
	}
	j.tasks = end.tasks
	if err := j.flush(); err != nil {
		return err
	}
	return j.finished(newest)
}

// finished waits until the target has ended a task, and with it all earlier ones of
// the index: what an attempt before has sent must not come behind what this one sees.
func (j *repairJob) finished(uid int64) error {
	for round := 0; uid >= 0; round++ {
		tasks, err := j.c.listTasks(j.c.nodes[j.target()], []int64{uid})
		if err != nil {
			return err
		}
		if len(tasks) == 0 || tasks[0].finished() {
			return nil
		}
		if err := j.current(); err != nil {
			return err
		}
		if err := j.pause(nodeWaits(round)); err != nil {
			return err
		}
	}
	return nil
}

// shape gives the target the index, its primary key and its settings.
func (j *repairJob) shape(ctx context.Context, call *laneCall, send sender) error {
	if call.state.settings == nil {
		return errNoSuchIndex
	}
	path := "/indexes/" + j.id()
	want, err := nodeSettings(call.state.settings, nil)
	if err != nil {
		return err
	}
	has, exists, err := j.targetIndex(ctx, call.state.pk, send)
	if err != nil {
		return err
	}
	if !exists {
		body := map[string]string{"uid": j.id()}
		if call.state.pk != "" {
			body["primaryKey"] = call.state.pk
		}
		if _, err := send(jsonCall(http.MethodPost, "/indexes", mustJSON(body))); err != nil {
			return err
		}
		has = mustJSON(api.DefaultSettings())
	}
	patch, err := settingsPatch(want, has)
	if err != nil || patch == nil {
		return err
	}
	_, err = send(jsonCall(http.MethodPatch, path+"/settings", patch))
	return err
}

// targetIndex reads the settings that the index has on the target. One with another
// primary key is removed: what it holds is not ours.
func (j *repairJob) targetIndex(ctx context.Context, pk string, send sender) (settings json.RawMessage, exists bool, err error) {
	path := "/indexes/" + j.id()
	address := j.c.nodes[j.target()].node.Address
	resp, err := j.c.client.Do(ctx, address, &nodeclient.Request{Method: http.MethodGet, Path: path, Idempotent: true})
	switch {
	case err != nil:
		return nil, false, err
	case resp.Status == http.StatusNotFound && errorCode(resp.Body) == "index_not_found":
		return nil, false, nil
	case !resp.OK():
		return nil, false, answerError(resp)
	}
	var index struct{ PrimaryKey *string }
	if err := json.Unmarshal(resp.Body, &index); err != nil {
		return nil, false, fmt.Errorf("read the index: %w", err)
	}
	switch {
	case index.PrimaryKey == nil && pk != "":
		if _, err := send(jsonCall(http.MethodPatch, path, mustJSON(map[string]string{"primaryKey": pk}))); err != nil {
			return nil, false, err
		}
	case index.PrimaryKey != nil && *index.PrimaryKey != pk:
		_, err := send(&nodeclient.Request{Method: http.MethodDelete, Path: path})
		return nil, false, err
	}
	resp, err = j.c.client.Do(ctx, address, &nodeclient.Request{Method: http.MethodGet, Path: path + "/settings", Idempotent: true})
	if err != nil {
		return nil, false, err
	}
	if !resp.OK() {
		return nil, false, answerError(resp)
	}
	return resp.Body, true, nil
}

// settingsPatch lists the members of want that has does not have like this, and takes
// away the embedders that only has has. It is nil when there is nothing to change.
func settingsPatch(want, has json.RawMessage) (json.RawMessage, error) {
	var w, h map[string]json.RawMessage
	if err := json.Unmarshal(want, &w); err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	if err := json.Unmarshal(has, &h); err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	var defaults map[string]json.RawMessage
	if err := json.Unmarshal(mustJSON(api.DefaultSettings()), &defaults); err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	patch := map[string]json.RawMessage{}
	for name, value := range w {
		other, known := h[name]
		if !known { // a node too old for the setting
			other = defaults[name]
		}
		if same, err := sameJSON(value, other); err != nil {
			return nil, err
		} else if same {
			continue
		}
		patch[name] = value
		if name != "embedders" {
			continue
		}
		var ours, theirs map[string]json.RawMessage
		if json.Unmarshal(value, &ours) != nil || json.Unmarshal(other, &theirs) != nil {
			continue
		}
		for e := range theirs {
			if _, kept := ours[e]; !kept {
				patch[name] = rawjson.Set(nil, patch[name], e, []byte("null"))
			}
		}
	}
	if len(patch) == 0 {
		return nil, nil
	}
	return mustJSON(patch), nil
}

func sameJSON(a, b json.RawMessage) (bool, error) {
	if len(a) == 0 || len(b) == 0 {
		return len(a) == len(b), nil
	}
	x, err := canonical(a)
	if err != nil {
		return false, err
	}
	y, err := canonical(b)
	return string(x) == string(y), err
}

// turn takes a turn in the target's lane.
func (j *repairJob) turn(run func(ctx context.Context, call *laneCall, send sender) error) error {
	ended := make(chan laneCallEnd, 1)
	j.c.tell(j.c.nodes[j.target()].pid, &laneCall{indexID: j.id(), run: run, ended: ended})
	end, err := await(j, ended, turnWait)
	if err != nil {
		return err
	}
	j.tasks = append(j.tasks, end.tasks...)
	for _, uid := range end.tasks {
		j.lastTask = max(j.lastTask, uid)
	}
	return end.err
}

// change makes one call that changes the target, and waits when it has much to do.
func (j *repairJob) change(req *nodeclient.Request) error {
	err := j.turn(func(_ context.Context, _ *laneCall, send sender) error {
		if err := j.current(); err != nil {
			return err // the index may be deleted since, and would come back
		}
		_, err := send(req)
		return err
	})
	if err == nil && len(j.tasks) >= openTasks {
		err = j.flush()
	}
	return err
}

// flush waits until the target has done what it was given.
func (j *repairJob) flush() error {
	for round := 0; len(j.tasks) > 0; round++ {
		tasks, err := j.c.listTasks(j.c.nodes[j.target()], j.tasks[:min(len(j.tasks), followBatch)])
		if err != nil {
			return err
		}
		if len(tasks) < min(len(j.tasks), followBatch) {
			return fmt.Errorf("the node has forgotten tasks of the rebuild")
		}
		for _, t := range tasks {
			if !t.finished() {
				continue
			}
			if t.Status != "succeeded" {
				return fmt.Errorf("task %d of the rebuild: %s %s", t.UID, t.Status, t.Error)
			}
			j.tasks = slices.DeleteFunc(j.tasks, func(uid int64) bool { return uid == t.UID })
		}
		if err := j.current(); err != nil {
			return err
		}
		if len(j.tasks) > 0 {
			if err := j.pause(nodeWaits(round)); err != nil {
				return err
			}
		}
	}
	return nil
}

// compare makes the target equal to the sources in what is to be looked at.
func (j *repairJob) compare(todo *dirtySet) error {
	if j.pk == "" {
		return nil // no document was ever written
	}
	ids, all := todo.touched()
	if all {
		if err := j.compareAll(); err != nil {
			return err
		}
		return j.flush()
	}
	for _, leg := range j.sources {
		var mine []string
		for _, id := range ids {
			// A deletion may name anything; nodes are not asked for what cannot be.
			if leg.Shards.Has(topology.ShardOf([]byte(id), j.index.shards)) && payload.ValidID([]byte(id)) {
				mine = append(mine, id)
			}
		}
		if err := j.compareIDs(leg.Node, mine); err != nil {
			return err
		}
	}
	return j.flush()
}

// compareAll compares all documents, after copying them when the target has none.
func (j *repairJob) compareAll() error {
	total := int64(0)
	counts := make([]int64, len(j.sources))
	for i, leg := range j.sources {
		n, err := j.c.countDocuments(j.ctx, leg.Node, j.id(), shardClause(leg.Shards))
		if err != nil {
			return err
		}
		counts[i] = n
		total += n
	}
	has, err := j.c.countDocuments(j.ctx, j.target(), j.id(), shardClause(j.shards()))
	if err != nil {
		return err
	}
	j.report(func(p *rebuildProgress) { p.State, p.Copied, p.Total = "copying", 0, total })
	if has == 0 && total > 0 {
		if err := j.copy(); err != nil {
			return err
		}
	}
	strays, err := j.c.fetchIDs(j.ctx, j.target(), j.id(), j.pk, strayClause)
	if err != nil {
		return err
	}
	j.report(func(p *rebuildProgress) { p.State, p.Copied = "comparing", 0 })
	for i, leg := range j.sources {
		each := max(1, int(counts[i])/max(1, leg.Shards.Len()))
		for chunk := range slices.Chunk(leg.Shards.Slice(), max(1, chunkIDs/each)) {
			if err := j.compareShards(leg.Node, topology.ShardSetOf(j.index.shards, chunk...), strays); err != nil {
				return err
			}
		}
	}
	return j.dropStrays(strays)
}

// compareShards compares all documents of some shards.
func (j *repairJob) compareShards(source topology.NodeIndex, set topology.ShardSet, strays []storedID) error {
	want, err := j.c.fetchIDs(j.ctx, source, j.id(), j.pk, shardClause(set))
	if err != nil {
		return err
	}
	has, err := j.c.fetchIDs(j.ctx, j.target(), j.id(), j.pk, shardClause(set))
	if err != nil {
		return err
	}
	for _, s := range strays {
		if set.Has(topology.ShardOf([]byte(s.id), j.index.shards)) {
			has = append(has, s)
		}
	}
	slices.SortFunc(want, func(a, b storedID) int { return cmp.Compare(a.seq, b.seq) })
	wanted := make(map[string]struct{}, len(want))
	ids := make([]string, len(want))
	for i, w := range want {
		wanted[w.id] = struct{}{}
		ids[i] = w.id
	}
	var extra []string
	for _, s := range has {
		if _, ok := wanted[s.id]; !ok {
			extra = append(extra, s.id)
		}
	}
	if err := j.remove(extra); err != nil {
		return err
	}
	return j.compareIDs(source, ids)
}

// dropStrays removes documents that nobody of us wrote from shards that the target
// does not own.
func (j *repairJob) dropStrays(strays []storedID) error {
	var ids []string
	for _, s := range strays {
		shard := topology.ShardOf([]byte(s.id), j.index.shards)
		if !j.index.table.Load().Held(j.target()).Has(shard) && !j.shards().Has(shard) {
			ids = append(ids, s.id)
		}
	}
	return j.remove(ids)
}

// remove deletes documents from the target.
func (j *repairJob) remove(ids []string) error {
	for part := range slices.Chunk(ids, lookupPart) {
		req := jsonCall(http.MethodPost, "/indexes/"+j.id()+"/documents/delete-batch", mustJSON(part))
		if err := j.change(req); err != nil {
			return err
		}
		j.c.metrics.rebuildDocuments.WithLabelValues("deleted").Add(float64(len(part)))
	}
	return nil
}

// compareIDs compares documents by id, in pieces of a bounded size.
func (j *repairJob) compareIDs(source topology.NodeIndex, ids []string) error {
	batch := batchFirst
	for len(ids) > 0 {
		if err := j.current(); err != nil {
			return err
		}
		part := ids[:min(batch, len(ids))]
		ids = ids[len(part):]
		size, err := j.compareBatch(source, part)
		if err != nil {
			return err
		}
		batch = nextBatch(batch, size)
		j.report(func(p *rebuildProgress) { p.Copied += int64(len(part)) })
	}
	return nil
}

// nextBatch is how many documents to ask for after so many gave size bytes.
func nextBatch(n, size int) int {
	switch {
	case size > batchBytes:
		return max(1, n/2)
	case size < batchBytes/4:
		return min(2*n, batchMost)
	}
	return n
}

// compareBatch compares a few documents and sends what differs. It returns how many
// bytes the source's are.
func (j *repairJob) compareBatch(source topology.NodeIndex, ids []string) (size int, err error) {
	want, size, err := j.c.fetchByID(j.ctx, source, j.id(), j.pk, ids)
	if err != nil {
		return 0, err
	}
	has, _, err := j.c.fetchByID(j.ctx, j.target(), j.id(), j.pk, ids)
	if err != nil {
		return 0, err
	}
	var send [][]byte
	var extra []string
	for _, id := range ids {
		w, wanted := want[id]
		h, there := has[id]
		switch {
		case !wanted && there:
			extra = append(extra, id)
		case wanted:
			same := false
			if there {
				if same, err = sameDocument(w, h); err != nil {
					return 0, err
				}
			}
			if !same {
				send = append(send, w)
			}
		}
	}
	j.c.metrics.rebuildDocuments.WithLabelValues("compared").Add(float64(len(ids)))
	slices.SortStableFunc(send, func(a, b []byte) int { return cmp.Compare(seqOf(a), seqOf(b)) })
	if err := j.put(send); err != nil {
		return 0, err
	}
	return size, j.remove(extra)
}

// seqOf is the insertion number of a stored document; 0 when it has none.
func seqOf(doc []byte) uint64 {
	raw, ok := rawjson.Get(doc, topology.SeqField)
	if !ok || len(raw) < 2 {
		return 0
	}
	seq, _ := topology.ParseSeq(raw[1 : len(raw)-1])
	return seq
}

// put sends documents to the target, as replacements, in calls of a bounded size.
func (j *repairJob) put(docs [][]byte) error {
	query := "?primaryKey=" + url.QueryEscape(j.pk)
	if j.c.nodes[j.target()].version.Load().knowsCustomMetadata() {
		query += "&customMetadata=miroir-rebuild"
	}
	var body []byte
	count := 0
	for i, doc := range docs {
		body = append(append(body, sendable(doc)...), '\n')
		count++
		if len(body) < batchBytes && i < len(docs)-1 {
			continue
		}
		req := &nodeclient.Request{Method: http.MethodPost, Path: "/indexes/" + j.id() + "/documents" + query, ContentType: "application/x-ndjson", Body: body}
		if err := j.change(req); err != nil {
			return err
		}
		j.c.metrics.rebuildDocuments.WithLabelValues("sent").Add(float64(count))
		body, count = nil, 0
	}
	return nil
}

// copy sends all documents of the sources in the order of their insertion numbers,
// so that what is equal to a search stands in the same order on the target. What
// changes meanwhile is compared afterwards.
func (j *repairJob) copy() error {
	streams := make([]*copyStream, len(j.sources))
	for i, leg := range j.sources {
		streams[i] = &copyStream{leg: leg, limit: batchFirst}
	}
	var out [][]byte
	size := 0
	for {
		if err := j.current(); err != nil {
			return err
		}
		var next *copyStream
		for _, s := range streams {
			if err := s.fill(j); err != nil {
				return err
			}
			if len(s.docs) > 0 && (next == nil || seqOf(s.docs[0]) < seqOf(next.docs[0])) {
				next = s
			}
		}
		if next != nil {
			out = append(out, next.docs[0])
			size += len(next.docs[0])
			next.docs = next.docs[1:]
		}
		if next != nil && size < batchBytes {
			continue
		}
		if err := j.put(out); err != nil {
			return err
		}
		sent := int64(len(out))
		j.report(func(p *rebuildProgress) { p.Copied += sent })
		out, size = nil, 0
		if next == nil {
			return j.flush()
		}
	}
}

// copyStream pages through the documents of one source.
type copyStream struct {
	leg    topology.Leg
	docs   [][]byte
	offset int
	limit  int
	ended  bool
}

func (s *copyStream) fill(j *repairJob) error {
	if len(s.docs) > 0 || s.ended {
		return nil
	}
	more := fmt.Sprintf(`,"offset":%d,"retrieveVectors":true`, s.offset) + shardClause(s.leg.Shards)
	body, err := j.c.fetchDocuments(j.ctx, s.leg.Node, j.id(), fetchBody(s.limit, more))
	if err != nil {
		return err
	}
	if err := eachStored(body, func(doc []byte) error { s.docs = append(s.docs, doc); return nil }); err != nil {
		return err
	}
	s.ended = len(s.docs) < s.limit
	s.offset += len(s.docs)
	s.limit = nextBatch(s.limit, len(body))
	return nil
}

// sameCounts makes sure that the target has as many documents as the sources.
func (j *repairJob) sameCounts() error {
	if j.pk == "" {
		return nil
	}
	for _, leg := range j.sources {
		want, err := j.c.countDocuments(j.ctx, leg.Node, j.id(), shardClause(leg.Shards))
		if err != nil {
			return err
		}
		has, err := j.c.countDocuments(j.ctx, j.target(), j.id(), shardClause(leg.Shards))
		if err != nil {
			return err
		}
		if has != want {
			return fmt.Errorf("it has %d documents of shards %s where node %s has %d",
				has, leg.Shards.AppendList(nil, degradedShards), j.c.nodes[leg.Node].node.ID, want)
		}
	}
	return nil
}
