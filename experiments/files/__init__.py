"""The ground floor: errors, safe reading, durable and sealed writing."""
