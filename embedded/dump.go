package embedded

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	bolt "go.etcd.io/bbolt"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/auth"
	"github.com/miroir-search/miroir/embedded/engine"
)

// A dump is a tar archive packed by gzip, laid out as version 6 of the real server's dumps: keys, features, webhooks,
// network, chat settings and all indexes. The tasks, and with them the documents of those that are not done, are in a
// file of our own beside them: the real server ignores it, an embedded node has the same tasks with the same numbers
// afterwards, as the real one has.

const tasksFile = "embedded-tasks.jsonl"

// dumpedTask is one line of that file.
type dumpedTask struct {
	storedRecord
	Documents string `json:"documents,omitempty"` // of a task that is not done, as NDJSON
}

type dumpMetadata struct {
	DumpVersion string    `json:"dumpVersion"`
	DBVersion   string    `json:"dbVersion"`
	DumpDate    time.Time `json:"dumpDate"`
}

type dumpedIndex struct {
	UID        string    `json:"uid"`
	PrimaryKey *string   `json:"primaryKey"`
	CreatedAt  time.Time `json:"createdAt"`
	UpdatedAt  time.Time `json:"updatedAt"`
}

type dumpedKey struct {
	Name        *string    `json:"name,omitempty"`
	Description *string    `json:"description,omitempty"`
	UID         string     `json:"uid"`
	Actions     []string   `json:"actions"`
	Indexes     []string   `json:"indexes"`
	ExpiresAt   *time.Time `json:"expires_at"`
	CreatedAt   time.Time  `json:"created_at"`
	UpdatedAt   time.Time  `json:"updated_at"`
}

type dumpedWebhooks struct {
	Webhooks map[string]*api.Webhook `json:"webhooks"`
}

// dump writes a dump and names it in the details of its task.
func (ch *change) dump(rec *record) outcome {
	c := ch.core
	if c.opt.DumpDir == "" {
		return failed(api.NewError(api.CodeNotSupported, "this embedded node has no directory for dumps"))
	}
	uid := api.DumpUID(c.now())
	d := *rec.task.Details
	d.DumpUID = api.Some(uid)
	done := outcome{details: &d}
	err := writeFile(filepath.Join(c.opt.DumpDir, uid+".dump"), func(w io.Writer) error {
		return c.writeDump(w, done.finish(rec, c.now()))
	})
	if err != nil {
		return failed(api.NewError("dump_process_failed", err.Error()))
	}
	return done
}

// writeFile makes a file as a whole or not at all.
func writeFile(name string, write func(w io.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".part-*")
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // the first error counts
	}
	return err
}

// archive is a tar archive being written. The first error ends it.
type archive struct {
	tar *tar.Writer
	now time.Time
	err error
}

func (a *archive) file(name string, data []byte) {
	if a.err != nil {
		return
	}
	a.err = a.tar.WriteHeader(&tar.Header{Name: "./" + name, Mode: 0o644, Size: int64(len(data)), ModTime: a.now})
	if a.err == nil {
		_, a.err = a.tar.Write(data)
	}
}

func (a *archive) json(name string, v any) {
	data, err := api.Marshal(v)
	if a.err == nil {
		a.err = err
	}
	a.file(name, data)
}

// writeDump writes a dump in which the dump itself has ended.
func (c *core) writeDump(w io.Writer, end *record) error {
	z := gzip.NewWriter(w)
	a := &archive{tar: tar.NewWriter(z), now: c.now()}
	a.json("metadata.json", dumpMetadata{"V6", c.opt.Version, c.now()})
	a.file("instance_uid.uuid", []byte(uuid.NewString()))
	a.file("tasks/queue.jsonl", nil)
	a.file("batches/queue.jsonl", nil)
	tasks, err := c.dumpedTasks(end)
	if a.err == nil {
		a.err = err
	}
	a.file(tasksFile, tasks)
	c.mu.RLock()
	features, webhooks, chats := maps.Clone(c.features), c.webhooks, maps.Clone(c.chats)
	c.mu.RUnlock()
	a.json("experimental-features.json", features)
	a.json("webhooks.json", dumpedWebhooks{webhooks})
	a.json("network.json", c.networkNow())
	a.file("keys.jsonl", c.dumpedKeys())
	for _, uid := range sortedKeys(chats) {
		a.json("chat-completions-settings/"+uid+".json", chats[uid])
	}
	for _, uid := range c.uids(access{}) {
		x, err := c.lookup(uid)
		if err != nil {
			continue
		}
		a.index(x)
	}
	return errors.Join(a.err, a.tar.Close(), z.Close())
}

// dumpedTasks lists all tasks, those that came after the dump included. end stands for the dump's own.
func (c *core) dumpedTasks(end *record) ([]byte, error) {
	c.mu.RLock()
	records := make([]*record, len(c.order))
	for i, uid := range c.order {
		records[i] = c.records[uid]
	}
	c.mu.RUnlock()
	var lines bytes.Buffer
	for _, rec := range records {
		if rec.task.UID == end.task.UID {
			rec = end
		}
		t := dumpedTask{storedRecord: storedRecord{Task: rec.task, Op: rec.op, Ended: rec.ended}}
		if rec.op != nil && rec.op.docs != nil {
			t.Documents = string(rec.op.docs.encode())
		}
		data, err := api.Marshal(t)
		if err != nil {
			return nil, err
		}
		lines.Write(append(data, '\n'))
	}
	return lines.Bytes(), nil
}

func (c *core) dumpedKeys() []byte {
	var lines bytes.Buffer
	keys := c.ring().Keys()
	slices.Reverse(keys)
	for _, k := range keys {
		data, err := api.Marshal(dumpedKey{k.Name, k.Description, k.UID, k.Actions, k.Indexes, k.ExpiresAt, k.CreatedAt, k.UpdatedAt})
		if err == nil {
			lines.Write(append(data, '\n'))
		}
	}
	return lines.Bytes()
}

func (a *archive) index(x *index) {
	v, base := x.view(), "indexes/"+x.uid+"/"
	a.json(base+"metadata.json", dumpedIndex{v.UID, v.PrimaryKey, v.CreatedAt, v.UpdatedAt})
	a.json(base+"settings.json", x.settings)
	docs, _, err := x.engine.Documents(&engine.BrowseQuery{Limit: x.engine.Len(), RetrieveVectors: len(x.settings.Embedders) > 0})
	if a.err == nil {
		a.err = err
	}
	var lines bytes.Buffer
	for _, doc := range docs {
		lines.Write(doc)
		lines.WriteByte('\n')
	}
	a.file(base+"documents.jsonl", lines.Bytes())
}

// readDump reads the files of a dump.
func readDump(name string) (map[string][]byte, error) {
	f, err := os.Open(name) //nolint:gosec // the owner of the node names it
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	files := make(map[string][]byte)
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		data, err := io.ReadAll(t)
		if err != nil {
			return nil, err
		}
		files[path.Clean(h.Name)] = data
	}
}

// importDump fills a node that holds nothing yet from a dump: of an embedded node, or of a real server of version 6 of
// the format, whose tasks are left out.
func (c *core) importDump(name string) error {
	files, err := readDump(name)
	if err != nil {
		return fmt.Errorf("read dump %s: %w", name, err)
	}
	var meta dumpMetadata
	if err := json.Unmarshal(files["metadata.json"], &meta); err != nil || meta.DumpVersion != "V6" {
		return fmt.Errorf("read dump %s: no dump of version 6", name)
	}
	if err := c.importInstance(files); err != nil {
		return fmt.Errorf("import dump %s: %w", name, err)
	}
	ch := newChange(c)
	for file := range files {
		uid, rest, found := strings.Cut(strings.TrimPrefix(file, "indexes/"), "/")
		if !strings.HasPrefix(file, "indexes/") || !found || rest != "metadata.json" {
			continue
		}
		if err := ch.importIndex(uid, files); err != nil {
			return fmt.Errorf("import dump %s: index %s: %w", name, uid, err)
		}
	}
	tasks, err := c.importTasks(files[tasksFile])
	if err != nil {
		return fmt.Errorf("import dump %s: %w", name, err)
	}
	if c.store == nil {
		return nil
	}
	return c.store.update(func(tx *bolt.Tx) error {
		if err := c.saveIndexes(tx, ch); err != nil {
			return err
		}
		for _, t := range tasks {
			if err := saveDumpedTask(tx, t); err != nil {
				return err
			}
		}
		return tx.Bucket(bucketMeta).Put(metaNextTask, key32(c.nextTask))
	})
}

// importTasks takes the tasks of a dump over; those that are not done are done next.
func (c *core) importTasks(lines []byte) ([]*dumpedTask, error) {
	var tasks []*dumpedTask
	for line := range bytes.Lines(lines) {
		t := &dumpedTask{}
		if err := json.Unmarshal(line, t); err != nil || t.Task == nil {
			return nil, fmt.Errorf("%s: not a task: %w", tasksFile, cmp.Or(err, errors.New("it is empty")))
		}
		rec := &record{task: t.Task, op: t.Op, ended: t.Ended}
		if rec.op != nil && rec.op.Kind == opDocuments {
			docs, err := decodeDocuments([]byte(t.Documents))
			if err != nil {
				return nil, fmt.Errorf("%s: task %d: %w", tasksFile, rec.task.UID, err)
			}
			rec.op.docs = docs
		}
		c.adopt(rec)
		c.nextTask = rec.task.UID + 1
		tasks = append(tasks, t)
	}
	return tasks, nil
}

func saveDumpedTask(tx *bolt.Tx, t *dumpedTask) error {
	key := key32(t.Task.UID)
	if t.Documents != "" {
		if err := tx.Bucket(bucketPayloads).Put(key, []byte(t.Documents)); err != nil {
			return err
		}
	}
	return putJSON(tx.Bucket(bucketTasks), key, t.storedRecord)
}

// importInstance reads what is no index.
func (c *core) importInstance(files map[string][]byte) error {
	var hooks dumpedWebhooks
	for name, into := range map[string]any{"experimental-features.json": &c.features, "webhooks.json": &hooks, "network.json": &c.network} {
		if data := files[name]; len(data) > 0 && string(data) != "null" {
			if err := json.Unmarshal(data, into); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	c.webhooks = hooks.Webhooks
	maps.DeleteFunc(c.webhooks, func(_ string, w *api.Webhook) bool { return w == nil })
	for _, w := range c.webhooks {
		if w.Headers == nil {
			w.Headers = make(map[string]string)
		}
	}
	if c.features == nil {
		c.features = make(map[string]bool)
	}
	for file, data := range files {
		uid, isChat := strings.CutPrefix(strings.TrimSuffix(file, ".json"), "chat-completions-settings/")
		if !isChat {
			continue
		}
		s := api.DefaultChatWorkspace()
		if err := json.Unmarshal(data, s); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if err := c.putChat(uid, s); err != nil {
			return err
		}
	}
	for _, line := range bytes.Split(bytes.TrimSpace(files["keys.jsonl"]), []byte("\n")) {
		if len(line) == 0 {
			continue
		}
		var k dumpedKey
		if err := json.Unmarshal(line, &k); err != nil {
			return fmt.Errorf("keys.jsonl: %w", err)
		}
		err := c.putKey(&auth.Key{Name: k.Name, Description: k.Description, UID: k.UID, Actions: k.Actions, Indexes: k.Indexes,
			ExpiresAt: k.ExpiresAt, CreatedAt: k.CreatedAt, UpdatedAt: k.UpdatedAt})
		if err != nil {
			return err
		}
	}
	if err := remember(c, metaFeatures, &c.features, same[map[string]bool]); err != nil {
		return err
	}
	if err := remember(c, metaWebhooks, &c.webhooks, same[map[string]*api.Webhook]); err != nil {
		return err
	}
	if err := remember(c, metaNetwork, &c.network, same[network]); err != nil {
		return err
	}
	return nil
}

func same[T any](old T) T { return old }

func (ch *change) importIndex(uid string, files map[string][]byte) error {
	base := "indexes/" + uid + "/"
	var meta dumpedIndex
	if err := json.Unmarshal(files[base+"metadata.json"], &meta); err != nil {
		return err
	}
	x := ch.core.newIndex(meta.UID)
	if err := json.Unmarshal(files[base+"settings.json"], x.settings); err != nil {
		return err
	}
	x.created, x.updated = meta.CreatedAt, meta.UpdatedAt
	x.engine = engine.New(ch.core.engineSettings(x.settings))
	if meta.PrimaryKey != nil {
		x.primaryKey = *meta.PrimaryKey
	}
	ch.put(x)
	docs, err := decodeDocuments(files[base+"documents.jsonl"])
	if err != nil || docs.len() == 0 {
		return err
	}
	ids, apiErr := docs.ids(x.primaryKey)
	if apiErr != nil {
		return apiErr
	}
	batch := engine.Batch{Restore: true, Ops: make([]engine.Op, len(ids))}
	for i, id := range ids {
		batch.Ops[i] = engine.Op{Kind: engine.OpPut, ID: id, Doc: docs.doc(i)}
	}
	if _, err := x.engine.Apply(&batch); err != nil {
		return err
	}
	ch.settle(x, false, ids)
	x.updated = meta.UpdatedAt
	return nil
}

// snapshot copies the store of a node that has one.
func (ch *change) snapshot() outcome {
	c := ch.core
	if c.store == nil || c.opt.SnapshotDir == "" {
		return failed(api.NewError(api.CodeNotSupported, "this embedded node keeps nothing on disk, so there is nothing to take a snapshot of"))
	}
	err := writeFile(filepath.Join(c.opt.SnapshotDir, "data.ms.snapshot"), func(w io.Writer) error {
		return c.store.db.View(func(tx *bolt.Tx) error {
			_, err := tx.WriteTo(w)
			return err
		})
	})
	if err != nil {
		return failed(api.NewError("io_error", err.Error()))
	}
	return outcome{}
}

// importSnapshot puts a snapshot where the store will be opened. A directory that holds one already keeps it.
func importSnapshot(name, dir string) error {
	if name == "" {
		return nil
	}
	to := filepath.Join(dir, "node.db")
	if _, err := os.Stat(to); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	from, err := os.Open(name) //nolint:gosec // the owner of the node names it
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }()
	err = writeFile(to, func(w io.Writer) error {
		_, err := io.Copy(w, from)
		return err
	})
	if err != nil {
		return err
	}
	return forgetSnapshots(to)
}

// forgetSnapshots removes the snapshots that wait from the store in a file: it is one of them.
func forgetSnapshots(file string) error {
	db, err := bolt.Open(file, 0o600, nil)
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bolt.Tx) error {
		var gone [][]byte
		err := tx.Bucket(bucketTasks).ForEach(func(key, value []byte) error {
			var stored storedRecord
			if err := json.Unmarshal(value, &stored); err != nil {
				return fmt.Errorf("read task: %w", err)
			}
			if stored.Op != nil && stored.Op.Kind == opSnapshot {
				gone = append(gone, bytes.Clone(key))
			}
			return nil
		})
		for _, key := range gone {
			err = errors.Join(err, tx.Bucket(bucketTasks).Delete(key))
		}
		return err
	})
	return errors.Join(err, db.Close())
}
