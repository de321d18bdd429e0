package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Backup implements Store. While it runs no segment is removed; the database
// is copied first, as of one moment, and then the part of the journal that
// this copy refers to. So the copy holds every payload its entries need. It
// appears under its name only when it is complete and on the disk.
func (d *disk) Backup(ctx context.Context, dir string) error {
	if err := d.backup(ctx, dir); err != nil {
		return fmt.Errorf("back up store to %s: %w", dir, err)
	}
	return nil
}

func (d *disk) backup(ctx context.Context, dir string) (err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
		return errors.Join(errors.New("it exists already"), err)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return err
	}
	partial, err := os.MkdirTemp(filepath.Dir(dir), ".miroir-backup-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(partial))
		}
	}()
	release := d.journal.hold()
	defer release()
	if err := d.copyDatabase(ctx, filepath.Join(partial, "miroir.db")); err != nil {
		return err
	}
	if err := d.copySegments(ctx, partial); err != nil {
		return err
	}
	if err := d.opts.files.syncDir(partial); err != nil {
		return err
	}
	if err := os.Rename(partial, dir); err != nil {
		return err
	}
	return d.opts.files.syncDir(filepath.Dir(dir))
}

// copyDatabase copies as of one moment; writers go on meanwhile.
func (d *disk) copyDatabase(ctx context.Context, to string) error {
	db, err := sql.Open("sqlite", dsn(filepath.Join(d.dir, "miroir.db"), []string{"busy_timeout(10000)"}))
	if err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	_, err = db.ExecContext(ctx, "VACUUM INTO ?", to)
	if err = errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("copy database: %w", err)
	}
	f, err := os.OpenFile(to, os.O_RDWR, 0) //nolint:gosec // the path is ours
	if err != nil {
		return err
	}
	return errors.Join(d.opts.files.sync(f), f.Close())
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
