package embedded

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// Buckets of the store.
var (
	bucketMeta     = []byte("meta")
	bucketTasks    = []byte("tasks")    // uid -> record
	bucketPayloads = []byte("payloads") // uid -> documents of a task that is not done, as NDJSON
	bucketIndexes  = []byte("indexes")  // id -> index record
	bucketDocs     = []byte("docs")     // index id -> bucket of place -> document
	bucketKeys     = []byte("keys")     // uid -> key
)

// store is the file behind a node with a directory. Concurrent submissions share one fsync.
type store struct {
	db *bolt.DB
	// update writes what a group of tasks did, and what is kept beside the indexes; tests replace it to see a store fail.
	update func(func(tx *bolt.Tx) error) error

	mu      sync.Mutex
	pending []*submission
	wake    chan struct{}
	quit    chan struct{}
	done    chan struct{}
}

// submission is a change waiting for its transaction. then runs after the commit, in the order of submission.
type submission struct {
	change func(tx *bolt.Tx) error
	then   func()
	result chan error
}

var errStoreStopped = errors.New("store is stopped")

func openStore(dir string) (*store, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	path := filepath.Join(dir, "node.db")
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: 200 * time.Millisecond, NoFreelistSync: true,
		FreelistType: bolt.FreelistMapType})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("open %s: another node uses this directory", path)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		for _, name := range [][]byte{bucketMeta, bucketTasks, bucketPayloads, bucketIndexes, bucketDocs, bucketKeys} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("prepare %s: %w", path, err), db.Close())
	}
	return &store{db: db, update: db.Update, wake: make(chan struct{}, 1)}, nil
}

func (s *store) start() {
	s.mu.Lock()
	s.quit, s.done = make(chan struct{}), make(chan struct{})
	quit, done := s.quit, s.done // the loop may begin after a stop
	s.mu.Unlock()
	go s.commitLoop(quit, done)
}

// stop ends the commit loop; what waits is refused.
func (s *store) stop() {
	s.mu.Lock()
	quit := s.quit
	s.quit = nil
	s.mu.Unlock()
	if quit == nil {
		return
	}
	close(quit)
	<-s.done
	s.finish(s.take(), errStoreStopped)
}

func (s *store) close() {
	s.stop()
	// there is nobody to tell, and every commit was synced already
	_ = s.db.Close()
}

// submit waits until the change is on disk.
func (s *store) submit(change func(tx *bolt.Tx) error, then func()) error {
	sub := &submission{change: change, then: then, result: make(chan error, 1)}
	s.mu.Lock()
	if s.quit == nil {
		s.mu.Unlock()
		return errStoreStopped
	}
	s.pending = append(s.pending, sub)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default: // the loop will see it
	}
	return <-sub.result
}

func (s *store) take() []*submission {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.pending
	s.pending = nil
	return all
}

func (s *store) commitLoop(quit, done chan struct{}) {
	defer close(done)
	for {
		select {
		case <-quit:
			return
		case <-s.wake:
		}
		all := s.take()
		if len(all) == 0 {
			continue
		}
		err := s.db.Update(func(tx *bolt.Tx) error {
			for _, sub := range all {
				if err := sub.change(tx); err != nil {
					return err
				}
			}
			return nil
		})
		s.finish(all, err)
	}
}

func (s *store) finish(all []*submission, err error) {
	for _, sub := range all {
		if err == nil && sub.then != nil {
			sub.then()
		}
		sub.result <- err
	}
}

func key32(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
func key64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func putJSON(b *bolt.Bucket, key []byte, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode for the store: %w", err)
	}
	return b.Put(key, data)
}

// storedDocument joins an id and a document into one value.
func storedDocument(id string, doc []byte) []byte {
	out := binary.AppendUvarint(make([]byte, 0, len(id)+len(doc)+2), uint64(len(id)))
	return append(append(out, id...), doc...)
}

func splitDocument(value []byte) (id string, doc []byte, err error) {
	n, w := binary.Uvarint(value)
	if w <= 0 || n > uint64(len(value)-w) {
		return "", nil, errors.New("broken document in the store")
	}
	rest := value[w:]
	return string(rest[:n]), append([]byte(nil), rest[n:]...), nil
}
