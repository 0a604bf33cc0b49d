// The page begins here; it is filled module by module.
export {};
