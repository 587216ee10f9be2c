"""Configuration: one tree of settings, read from a TOML file, the environment and the command line."""

from engine.config.alpaca import Environment
from engine.config.load import config_path, load_settings
from engine.config.settings import Settings

__all__ = ["Environment", "Settings", "config_path", "load_settings"]
