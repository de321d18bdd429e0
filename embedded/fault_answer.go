package embedded

import (
	"net/http"
	"strconv"
	"time"

	"github.com/miroir-search/miroir/api"
)

// around serves a request, or what the faults make of it.
func (f *Faults) around(w http.ResponseWriter, r *http.Request, c *core) {
	a := f.find(r)
	if a == nil {
		c.ServeHTTP(w, r)
		return
	}
	quit := c.quitting()
	if !f.hold(a, r, quit) || a.Cut {
		panic(http.ErrAbortHandler)
	}
	answer := &recorder{header: http.Header{}, status: http.StatusOK}
	if a.Status != 0 {
		code := a.Code
		if code == "" {
			code = "internal"
		}
		c.writeJSON(answer, r, a.Status, api.NewError(code, "planned fault"))
	} else {
		c.ServeHTTP(answer, r)
	}
	if a.DropAnswer {
		panic(http.ErrAbortHandler)
	}
	a.send(w, r, quit, answer)
}

// hold lets a request wait as its fault says. False when its client has left or the node has stopped meanwhile.
func (f *Faults) hold(a *armed, r *http.Request, quit <-chan struct{}) bool {
	if a.Hang {
		defer f.leave(a)
	}
	if a.Delay > 0 && !wait(r, quit, time.After(a.Delay)) {
		return false
	}
	return !a.Hang || wait(r, quit, a.released)
}

// send gives the client what the fault makes of the answer.
func (a *armed) send(w http.ResponseWriter, r *http.Request, quit <-chan struct{}, answer *recorder) {
	body, announced, cut := answer.body.Bytes(), answer.body.Len(), false
	switch {
	case a.Status != 0:
	case a.CutAnswer:
		body, cut = body[:len(body)/2], true
	case a.Garbage:
		answer.status, body = http.StatusOK, []byte("{\"hits\":[{]\x00\xff<html>planned fault")
		announced = len(body)
		answer.header.Del("Content-Encoding")
	case a.LengthOff > 0:
		announced, cut = announced+a.LengthOff, true
	case a.LengthOff < 0:
		announced = max(0, announced+a.LengthOff)
		body = body[:announced]
	}
	for name, values := range answer.header {
		w.Header()[name] = values
	}
	if len(body) > 0 || cut {
		w.Header().Set("Content-Length", strconv.Itoa(announced))
	}
	w.WriteHeader(answer.status)
	a.write(w, r, quit, body)
	if cut {
		panic(http.ErrAbortHandler)
	}
}

// write sends a body at once, or in pieces. What was written is out when it returns.
func (a *armed) write(w http.ResponseWriter, r *http.Request, quit <-chan struct{}, body []byte) {
	out := http.NewResponseController(w)
	size := len(body)
	if a.Trickle > 0 {
		size = max(1, len(body)/8)
	}
	for len(body) > 0 {
		n := min(size, len(body))
		// a client that has left cannot be told
		_, _ = w.Write(body[:n])
		_ = out.Flush()
		if body = body[n:]; len(body) > 0 && !wait(r, quit, time.After(a.Trickle)) {
			panic(http.ErrAbortHandler)
		}
	}
}

// wait is false when the client leaves or the node stops first.
func wait[T any](r *http.Request, quit <-chan struct{}, until <-chan T) bool {
	select {
	case <-until:
	case <-quit:
	case <-r.Context().Done():
		return false
	}
	select { // of several that are ready, the first select takes any
	case <-quit:
		return false
	default:
		return true
	}
}

// hinder lets the faults of tasks act on a group before it is carried out: it waits the longest of their delays, or
// until the node stops, and returns the errors of the tasks that are to fail, by uid.
func (c *core) hinder(group []*record) map[uint32]*api.Error {
	var fail map[uint32]*api.Error
	var delay time.Duration
	for _, rec := range group {
		fault, hit := c.faults.findTask(rec.task.Type, rec.task.IndexUID)
		if !hit {
			continue
		}
		delay = max(delay, fault.Delay)
		if fault.Code != "" {
			if fail == nil {
				fail = make(map[uint32]*api.Error)
			}
			fail[rec.task.UID] = api.NewError(fault.Code, "planned fault")
		}
	}
	if delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-c.quit:
		}
	}
	return fail
}
