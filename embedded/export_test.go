package embedded

import (
	"errors"

	bolt "go.etcd.io/bbolt"
)

// Routes lists method and path of everything the node answers, so that a test can forget none.
func Routes() [][2]string {
	var out [][2]string
	for _, r := range buildRoutes() {
		out = append(out, [2]string{r.method, r.path})
	}
	return out
}

// FailStore lets the store of a paused node refuse what the next tasks did, so many times.
func FailStore(n *Node, times int) {
	s := n.core.store
	s.update = func(change func(tx *bolt.Tx) error) error {
		if times > 0 {
			times--
			return s.db.Update(func(tx *bolt.Tx) error { return errors.Join(change(tx), errors.New("no space left")) })
		}
		return s.db.Update(change)
	}
}
