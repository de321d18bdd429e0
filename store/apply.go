package store

import (
	"errors"
	"fmt"
)

// errPayloadLost marks a batch that can succeed with its payload appended anew.
var errPayloadLost = errors.New("the payload was lost when a sync of the journal failed")

// applyJob runs the rows of one job and gives out numbers.
func (c *committer) applyJob(j *job, last *numbers) error {
	e := j.batch
	for i := range e.rows {
		if err := c.applyRow(j, &e.rows[i], last); err != nil {
			return err
		}
	}
	if e.late == nil {
		return nil
	}
	if e.late.Numbered != nil {
		e.late.Numbered()
	}
	rest := &encoded{}
	if err := rest.addLate(e.late, c.now()); err != nil {
		return err
	}
	for i := range rest.rows {
		if err := c.applyRow(j, &rest.rows[i], last); err != nil {
			return err
		}
	}
	return nil
}

func (c *committer) applyRow(j *job, r *row, last *numbers) error {
	switch {
	case r.stmt == insertTask:
		last.task++
		r.num = last.task
		r.args[0].Value = r.num
		if !j.lazy {
			r.task.UID = r.num
		}
	case r.stmt == putKey:
		r.args[0].Value = j.batch.rows[r.of].num
	case r.ent != nil:
		// An entry that is done needs no payload any more: it may be gone.
		if !r.ent.done {
			if err := c.journal.admit(r.ent.lsn, r.ent.refs); err != nil {
				return err
			}
		}
		c.numberEntry(j, r, last)
	}
	n, err := c.writer.exec(r.stmt, r.args)
	if err != nil {
		return err
	}
	if n > 0 {
		return nil
	}
	switch r.stmt {
	case updateTask:
		n, err := c.writer.exec(replaceTask, r.args)
		if err == nil && n == 0 {
			err = fmt.Errorf("%w: there is no task %v", ErrRefused, r.args[0].Value)
		}
		return err
	case updateEntry:
		return fmt.Errorf("%w: there is no entry %v of task %v", ErrRefused, r.args[0].Value, r.args[1].Value)
	}
	return nil
}

func (c *committer) numberEntry(j *job, r *row, last *numbers) {
	e := r.ent
	if e.task >= 0 {
		r.args[1].Value = j.batch.rows[e.task].num
	}
	if r.stmt == insertEntry {
		last.lsn++
		r.num, e.lsn = last.lsn, last.lsn
		r.args[0].Value = r.num
	}
	for _, ref := range e.refs {
		last.segment = max(last.segment, ref.Segment)
	}
	if j.lazy {
		return
	}
	e.of.LSN = e.lsn
	if e.of.Task != nil {
		e.of.TaskUID = e.of.Task.UID
	}
}

// unnumber takes back the numbers of a job that was not written.
func (j *job) unnumber() {
	for i := range j.batch.rows {
		r := &j.batch.rows[i]
		if r.num == 0 && r.stmt != insertTask {
			continue
		}
		r.num = 0
		switch {
		case r.task != nil:
			if !j.lazy {
				r.task.UID = -1
			}
		case r.ent != nil:
			r.ent.lsn = 0
			if !j.lazy {
				r.ent.of.LSN = 0
				if r.ent.of.Task != nil {
					r.ent.of.TaskUID = 0
				}
			}
		}
	}
}
