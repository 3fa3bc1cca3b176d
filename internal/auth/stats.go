package auth

// KeyLookups counts how often an API key was found in memory, and how often it
// had to be looked for in the database.
func (s *Service) KeyLookups() (hits, misses uint64) { return s.keys.counts() }
