package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"modernc.org/sqlite"
)

// Backup implements Store.
func (d *disk) Backup(ctx context.Context, dir string) error {
	f, err := d.Freeze(ctx)
	if err != nil {
		return err
	}
	defer f.Release()
	return f.WriteTo(ctx, dir)
}

// frozen is a read transaction that stays open: the database goes on showing it
// the moment it began at. Until Release no segment is removed, so the copy finds
// every payload that its entries refer to.
type frozen struct {
	d       *disk
	db      *sql.DB
	conn    *sql.Conn
	once    sync.Once
	release func() // lets segments go again
}

// Freeze implements Store.
func (d *disk) Freeze(ctx context.Context) (Frozen, error) {
	f := &frozen{d: d, release: d.journal.hold()}
	if err := f.begin(ctx); err != nil {
		f.Release()
		return nil, fmt.Errorf("freeze store: %w", err)
	}
	return f, nil
}

func (f *frozen) begin(ctx context.Context) (err error) {
	if f.db, err = sql.Open("sqlite", dsn(filepath.Join(f.d.dir, "miroir.db"), []string{"busy_timeout(10000)"})); err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	if f.conn, err = f.db.Conn(ctx); err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	if _, err = f.conn.ExecContext(ctx, "BEGIN"); err != nil {
		return err
	}
	var n int
	return f.conn.QueryRowContext(ctx, "SELECT count(*) FROM meta").Scan(&n) // the first read fixes the moment
}

// Release implements Frozen.
func (f *frozen) Release() {
	f.once.Do(func() {
		if f.conn != nil {
			_ = f.conn.Close() // only read from
		}
		if f.db != nil {
			_ = f.db.Close()
		}
		f.release()
	})
}

// WriteTo implements Frozen. The database is copied first, and then the part of
// the journal that the copy refers to. The copy appears under its name only when
// it is complete and on the disk.
func (f *frozen) WriteTo(ctx context.Context, dir string) error {
	if err := f.writeTo(ctx, dir); err != nil {
		if place := (*BackupDirError)(nil); errors.As(err, &place) {
			return err
		}
		return fmt.Errorf("back up store to %s: %w", dir, err)
	}
	return nil
}

func (f *frozen) writeTo(ctx context.Context, dir string) (err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return err
	}
	partial, err := besideNew(dir)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(partial))
		}
	}()
	if err := f.copyDatabase(ctx, filepath.Join(partial, "miroir.db")); err != nil {
		return err
	}
	if err := f.d.copySegments(ctx, partial); err != nil {
		return err
	}
	if err := f.d.opts.files.syncDir(partial); err != nil {
		return err
	}
	if err := os.Rename(partial, dir); err != nil {
		return err
	}
	return f.d.opts.files.syncDir(filepath.Dir(dir))
}

// besideNew makes a directory to work in beside one that must not exist yet.
func besideNew(dir string) (partial string, err error) {
	_, err = os.Lstat(dir)
	if err == nil {
		return "", &BackupDirError{dir, errors.New("it exists already")}
	}
	if errors.Is(err, os.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(dir), 0o700); err == nil {
			partial, err = os.MkdirTemp(filepath.Dir(dir), ".miroir-backup-")
		}
	}
	var failed *os.PathError // its path is at most part of what was asked for
	switch {
	case err == nil, errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EIO), !errors.As(err, &failed):
		return partial, err
	}
	return "", &BackupDirError{dir, failed.Err}
}

// BackupDirError says why a backup cannot be made where it was asked for.
type BackupDirError struct {
	Dir string
	Err error
}

// Error names the directory.
func (e *BackupDirError) Error() string {
	return fmt.Sprintf("a backup is made in a new directory, and %q cannot be made: %v", e.Dir, e.Err)
}

// Unwrap gives the reason.
func (e *BackupDirError) Unwrap() error { return e.Err }

// copyPages is how many pages are copied before the context is looked at.
const copyPages = 1024

// copyDatabase copies the frozen moment; writers go on meanwhile.
func (f *frozen) copyDatabase(ctx context.Context, to string) error {
	err := f.conn.Raw(func(c any) error {
		source, ok := c.(interface {
			NewBackup(dst string) (*sqlite.Backup, error)
		})
		if !ok {
			return errors.New("the database driver cannot copy")
		}
		b, err := source.NewBackup(dsn(to, nil))
		if err != nil {
			return err
		}
		for more := true; more && err == nil; {
			if more, err = b.Step(copyPages); err == nil {
				err = ctx.Err()
			}
		}
		return errors.Join(err, b.Finish())
	})
	if err != nil {
		return fmt.Errorf("copy database: %w", err)
	}
	out, err := os.OpenFile(to, os.O_RDWR, 0) //nolint:gosec // the path is ours
	if err != nil {
		return err
	}
	return errors.Join(f.d.opts.files.sync(out), out.Close())
}

// copySegments copies what the entries in the copied database refer to.
func (d *disk) copySegments(ctx context.Context, partial string) error {
	db, err := sql.Open("sqlite", dsn(filepath.Join(partial, "miroir.db"), []string{"query_only(1)"}))
	if err != nil {
		return fmt.Errorf("open copy: %w", err)
	}
	pins, err := loadPins(ctx, db)
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	journal := filepath.Join(partial, "journal")
	if err := os.Mkdir(journal, 0o700); err != nil {
		return err
	}
	for number, end := range needed(pins) {
		if err := ctx.Err(); err != nil {
			return err
		}
		from := d.journal.path(number)
		if err := d.copyFile(from, filepath.Join(journal, filepath.Base(from)), end); err != nil {
			return fmt.Errorf("copy journal segment %d: %w", number, err)
		}
	}
	return d.opts.files.syncDir(journal)
}

// copyFile copies the first n bytes.
func (d *disk) copyFile(from, to string, n int64) error {
	in, err := os.Open(from) //nolint:gosec // the path is ours
	if err != nil {
		return err
	}
	defer in.Close()                                                      //nolint:errcheck // only read from
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // the path is ours
	if err != nil {
		return err
	}
	_, err = io.CopyN(out, in, n)
	if err == nil {
		err = d.opts.files.sync(out)
	}
	return errors.Join(err, out.Close())
}
