package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
)

// disk is the Store on files and SQLite.
//
// One connection writes, owned by the committer; a few others read, and see
// what was committed before they began (WAL). Readers and the writer never
// wait for each other.
type disk struct {
	opts      Options
	dir       string
	lock      *os.File
	db        *sql.DB // reads only
	queries   queries
	journal   *journal
	committer *committer
	clusterID string
	fresh     bool
	closing   sync.Once
	closeErr  error
}

// readers is the number of connections that read.
const readers = 4

// Open opens the store in o.Dir, or makes it. It fails with ErrLocked when
// another process has it open. What a crash left behind is put in order: the
// unacknowledged end of the journal is cut off, and no acknowledged batch is
// missing. The context bounds only the opening.
func Open(ctx context.Context, o Options) (Store, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	d := &disk{opts: o, dir: o.Dir}
	if err := d.open(ctx); err != nil {
		if cerr := d.abandon(); cerr != nil {
			err = errors.Join(err, cerr)
		}
		return nil, fmt.Errorf("open store in %s: %w", d.dir, err)
	}
	return d, nil
}

func (d *disk) open(ctx context.Context) error {
	if err := d.prepareDir(); err != nil {
		return err
	}
	if err := d.openDatabase(ctx); err != nil {
		return err
	}
	last, id, err := loadNumbers(ctx, d.db)
	if err != nil {
		return err
	}
	d.clusterID = id
	pins, err := loadPins(ctx, d.db)
	if err != nil {
		return err
	}
	if d.queries, err = prepareQueries(ctx, d.db); err != nil {
		return err
	}
	c := &committer{
		files: d.opts.files, log: d.opts.Logger, now: d.opts.Now, last: last, dsn: d.dsn(true),
		queue: queue{wake: make(chan struct{}, 1)}, recheck: make(chan struct{}, 1), stopped: make(chan struct{}),
	}
	d.journal = &journal{
		files: d.opts.files, dir: filepath.Join(d.dir, "journal"), limit: d.opts.SegmentBytes, log: d.opts.Logger,
		healthy: c.healthy, failed: c.appendFailed, segments: map[uint32]*segment{}, pins: map[int64][2]uint32{},
		lost: map[uint32]bool{},
	}
	c.journal = d.journal
	if err := d.journal.recover(pins, last.segment); err != nil {
		return err
	}
	if c.writer, err = openWriter(c.dsn); err != nil {
		return err
	}
	if c.metrics, err = newMetrics(d.opts.Registerer, d.journal.Size); err != nil {
		return errors.Join(err, c.writer.close())
	}
	d.committer = c
	go c.run()
	return nil
}

// prepareDir makes the directories and locks them.
func (d *disk) prepareDir() error {
	if d.opts.Ephemeral {
		dir, err := os.MkdirTemp(d.dir, "miroir-")
		if err != nil {
			return fmt.Errorf("make temporary directory: %w", err)
		}
		d.dir = dir
	}
	dir, err := filepath.Abs(d.dir)
	if err != nil {
		return fmt.Errorf("find directory: %w", err)
	}
	d.dir = dir
	if err := os.MkdirAll(filepath.Join(d.dir, "journal"), 0o700); err != nil {
		return fmt.Errorf("make directory: %w", err)
	}
	lock, err := lockDir(d.dir)
	if err != nil {
		return err
	}
	d.lock = lock
	return nil
}

func (d *disk) openDatabase(ctx context.Context) error {
	db, err := sql.Open("sqlite", d.dsn(true))
	if err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	d.fresh, err = migrate(ctx, db, d.opts.Now().UnixNano())
	if err == nil {
		_, err = db.ExecContext(ctx, "DELETE FROM deliveries WHERE lsn IN (SELECT lsn FROM entries WHERE forgotten = 1 AND done = 1);"+
			"DELETE FROM entries WHERE forgotten = 1 AND done = 1")
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("prepare database: %w", err)
	}
	// The names of what was made must survive as well as its content.
	for _, dir := range []string{d.dir, filepath.Dir(d.dir)} {
		if err := d.opts.files.syncDir(dir); err != nil {
			return err
		}
	}
	if d.db, err = sql.Open("sqlite", d.dsn(false)); err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	d.db.SetMaxOpenConns(readers)
	d.db.SetMaxIdleConns(readers)
	return nil
}

// dsn is how a connection is opened. FULL makes every commit wait for the
// disk; a checkpoint every 16 MiB instead of 4 writes pages that change often,
// like the counters, back less often. What SQLite puts aside to undo one
// statement would be a temporary file, written at every commit.
func (d *disk) dsn(write bool) string {
	pragmas := []string{"busy_timeout(10000)", "temp_store(MEMORY)"}
	switch {
	case !write:
		pragmas = append(pragmas, "query_only(1)", "cache_size(-2000)")
	case d.opts.Ephemeral:
		pragmas = append(pragmas, "journal_mode(WAL)", "synchronous(OFF)", "cache_size(-8000)", "wal_autocheckpoint(4000)")
	default:
		pragmas = append(pragmas, "journal_mode(WAL)", "synchronous(FULL)", "cache_size(-8000)", "wal_autocheckpoint(4000)",
			"journal_size_limit(67108864)")
	}
	return dsn(filepath.Join(d.dir, "miroir.db"), pragmas)
}

// dsn escapes the path: a "?" in it would end it.
func dsn(path string, pragmas []string) string {
	u := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: url.Values{"_pragma": pragmas}.Encode()}
	return u.String()
}

// abandon undoes a failed open.
func (d *disk) abandon() error {
	var errs []error
	if d.db != nil {
		d.queries.close()
		errs = append(errs, d.db.Close())
	}
	return errors.Join(append(errs, d.leave())...)
}

// leave gives the directory back.
func (d *disk) leave() error {
	var errs []error
	if d.lock != nil {
		errs = append(errs, d.lock.Close())
	}
	if d.opts.Ephemeral && d.dir != d.opts.Dir {
		errs = append(errs, os.RemoveAll(d.dir))
	}
	return errors.Join(errs...)
}

// Close implements Store. Later calls return what the first one did.
func (d *disk) Close() error {
	d.closing.Do(func() {
		c := d.committer
		c.queue.close()
		<-c.stopped
		var errs []error
		if c.writer != nil {
			errs = append(errs, c.writer.close())
		}
		closed := fmt.Errorf("%w: %w", ErrUnavailable, errClosed)
		c.sick.Store(&closed)
		d.queries.close()
		errs = append(errs, d.db.Close())
		d.journal.close()
		c.metrics.unregister()
		d.closeErr = errors.Join(append(errs, d.leave())...)
	})
	return d.closeErr
}

// ClusterID implements Store.
func (d *disk) ClusterID() string { return d.clusterID }

// Fresh implements Store.
func (d *disk) Fresh() bool { return d.fresh }

// Journal implements Store.
func (d *disk) Journal() Journal { return d.journal }

// Commit implements Store.
func (d *disk) Commit(ctx context.Context, b *Batch) error { return d.committer.commit(ctx, b) }

// CommitLazily implements Store.
func (d *disk) CommitLazily(b *Batch) { d.committer.commitLazily(b) }

// Healthy implements Store.
func (d *disk) Healthy() error { return d.committer.healthy() }
