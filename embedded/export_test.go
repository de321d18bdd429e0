package embedded

// Routes lists method and path of everything the node answers, so that a test can forget none.
func Routes() [][2]string {
	var out [][2]string
	for _, r := range buildRoutes() {
		out = append(out, [2]string{r.method, r.path})
	}
	return out
}
