"""Colours, type and spacing in one place, after shared/design/look.md; windows and charts use the same tokens.

The palette and the style sheet are set by hand, because Qt's colour scheme has no effect without a desktop theme.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources

from PySide6.QtGui import QColor, QFont, QFontDatabase, QPalette
from PySide6.QtWidgets import QApplication, QStyleFactory

UI_FONT, MONO_FONT = "Inter", "JetBrains Mono"
SMALL, BASE, HEADING, FIGURE, HEADLINE = 11, 12, 14, 20, 28
SPACE = 8
ROW = 24


@dataclass(frozen=True)
class Tokens:
    name: str
    background: str
    surface: str
    raised: str
    border: str
    grid: str
    text: str
    muted: str
    disabled: str
    accent: str
    good: str
    warning: str
    bad: str
    unknown: str
    up: str
    down: str
    on_accent: str

    def state(self, word: str) -> str:
        """The colour of good, warning, bad or unknown."""
        return {"good": self.good, "warning": self.warning, "bad": self.bad}.get(word, self.unknown)

    def environment(self, name: str) -> str:
        return {"demo": self.accent, "paper": self.warning, "live": self.bad}.get(name, self.unknown)


DARK = Tokens(
    name="dark", background="#0F1419", surface="#161C23", raised="#1E262F", border="#2A3541", grid="#1F2933",
    text="#E6EAEE", muted="#8B98A5", disabled="#55616D", accent="#4DA3FF", good="#2EBD85", warning="#E3A008",
    bad="#F05252", unknown="#8B98A5", up="#26A69A", down="#EF5350", on_accent="#0F1419",
)  # fmt: skip
LIGHT = Tokens(
    name="light", background="#F4F6F8", surface="#FFFFFF", raised="#FFFFFF", border="#DDE2E8", grid="#EDF0F3",
    text="#1A2128", muted="#5B6773", disabled="#A3ACB5", accent="#1769D2", good="#12805C", warning="#A15C00",
    bad="#C81E1E", unknown="#5B6773", up="#0B8A7D", down="#D93838", on_accent="#FFFFFF",
)  # fmt: skip

_current = DARK


def tokens() -> Tokens:
    return _current


def load_fonts() -> None:
    for file in (resources.files("resources") / "fonts").iterdir():
        if file.name.endswith((".otf", ".ttf")):
            QFontDatabase.addApplicationFontFromData(file.read_bytes())


def apply_theme(app: QApplication, name: str) -> None:
    """`name` is dark or light. Widgets that paint themselves read `tokens()` when they next paint."""
    global _current
    _current = LIGHT if name == "light" else DARK
    app.setStyle(QStyleFactory.create("Fusion"))
    app.setFont(font())
    app.setPalette(_palette(_current))
    app.setStyleSheet(_style_sheet(_current))


def font(size: int = BASE, weight: QFont.Weight = QFont.Weight.Normal) -> QFont:
    """The text font with figures of equal width, so that columns of numbers stand still."""
    found = QFont(UI_FONT)
    found.setPixelSize(size)
    found.setWeight(weight)
    found.setFeature(QFont.Tag("tnum"), 1)
    return found


def mono(size: int = SMALL) -> QFont:
    found = QFont(MONO_FONT)
    found.setPixelSize(size)
    return found


def _palette(t: Tokens) -> QPalette:
    palette = QPalette()
    roles = {
        QPalette.ColorRole.Window: t.background,
        QPalette.ColorRole.WindowText: t.text,
        QPalette.ColorRole.Base: t.surface,
        QPalette.ColorRole.AlternateBase: t.raised,
        QPalette.ColorRole.Text: t.text,
        QPalette.ColorRole.Button: t.raised,
        QPalette.ColorRole.ButtonText: t.text,
        QPalette.ColorRole.ToolTipBase: t.raised,
        QPalette.ColorRole.ToolTipText: t.text,
        QPalette.ColorRole.Highlight: t.accent,
        QPalette.ColorRole.HighlightedText: t.on_accent,
        QPalette.ColorRole.PlaceholderText: t.disabled,
        QPalette.ColorRole.Link: t.accent,
    }
    for role, colour in roles.items():
        palette.setColor(role, QColor(colour))
    for role in (QPalette.ColorRole.Text, QPalette.ColorRole.ButtonText, QPalette.ColorRole.WindowText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor(t.disabled))
    return palette


def _style_sheet(t: Tokens) -> str:
    selected = f"{t.accent}33" if t.name == "dark" else f"{t.accent}22"
    selected = f"#{selected[7:]}{selected[1:7]}"  # Qt reads #AARRGGBB
    return f"""
    QWidget {{ font-size: {BASE}px; }}
    QMainWindow, QDialog {{ background: {t.background}; }}
    QToolTip {{ background: {t.raised}; color: {t.text}; border: 1px solid {t.border}; padding: 4px; }}
    QMenuBar {{ background: {t.surface}; border-bottom: 1px solid {t.border}; padding: 2px 4px; }}
    QMenuBar::item {{ padding: 8px; background: transparent; border-radius: 4px; }}
    QMenuBar::item:selected {{ background: {t.raised}; }}
    QMenu {{ background: {t.raised}; border: 1px solid {t.border}; padding: 4px; }}
    QMenu::item {{ padding: 5px 24px 5px 12px; border-radius: 4px; }}
    QMenu::item:selected {{ background: {selected}; }}
    QMenu::item:disabled {{ color: {t.disabled}; }}
    QMenu::separator {{ height: 1px; background: {t.border}; margin: 4px 8px; }}
    QTabWidget::pane {{ border: 0; }}
    QTabWidget#main > QTabBar {{ background: {t.surface}; }}
    QTabBar {{ qproperty-drawBase: 0; }}
    QTabBar::tab {{ color: {t.muted}; background: transparent; padding: 7px 14px; border: 0;
        border-bottom: 2px solid transparent; }}
    QTabBar::tab:hover {{ color: {t.text}; }}
    QTabBar::tab:selected {{ color: {t.text}; border-bottom: 2px solid {t.accent}; }}
    QTabBar::tab:focus {{ border-bottom: 2px solid {t.accent}; color: {t.accent}; }}
    QFrame[card="true"] {{ background: {t.surface}; border: 1px solid {t.border}; border-radius: 6px; }}
    QLabel {{ background: transparent; }}
    QLabel[role="muted"] {{ color: {t.muted}; }}
    QLabel[role="heading"] {{ color: {t.muted}; font-size: {SMALL}px; font-weight: 600; }}
    QLabel[role="figure"] {{ font-size: {FIGURE}px; font-weight: 600; }}
    QLabel[role="headline"] {{ font-size: {HEADLINE}px; font-weight: 600; }}
    QLabel[tone="good"] {{ color: {t.good}; }} QLabel[tone="warning"] {{ color: {t.warning}; }}
    QLabel[tone="bad"] {{ color: {t.bad}; }} QLabel[tone="up"] {{ color: {t.up}; }}
    QLabel[tone="down"] {{ color: {t.down}; }} QLabel[tone="unknown"] {{ color: {t.unknown}; }}
    QPushButton {{ background: {t.raised}; border: 1px solid {t.border}; border-radius: 6px; padding: 5px 12px; }}
    QPushButton:hover {{ border-color: {t.muted}; }}
    QPushButton:pressed {{ background: {t.border}; }}
    QPushButton:disabled {{ color: {t.disabled}; border-color: {t.grid}; }}
    QPushButton:focus, QToolButton:focus {{ border: 1px solid {t.accent}; }}
    QPushButton:checked {{ background: {selected}; border-color: {t.accent}; }}
    QPushButton[kind="primary"] {{ background: {t.accent}; color: {t.on_accent}; border-color: {t.accent};
        font-weight: 600; }}
    QPushButton[kind="primary"]:disabled {{ background: {t.raised}; color: {t.disabled}; border-color: {t.border}; }}
    QPushButton[kind="buy"]:checked {{ background: {t.up}; color: {t.on_accent}; border-color: {t.up}; }}
    QPushButton[kind="sell"]:checked {{ background: {t.down}; color: {t.on_accent}; border-color: {t.down}; }}
    QPushButton[kind="flat"], QToolButton {{ background: transparent; border: 1px solid transparent;
        border-radius: 4px; padding: 3px 8px; color: {t.muted}; }}
    QPushButton[kind="flat"]:hover, QToolButton:hover {{ color: {t.text}; background: {t.raised}; }}
    QPushButton[kind="flat"]:checked {{ color: {t.accent}; background: {selected}; }}
    QPushButton[kind="flat"]:focus {{ border: 1px solid {t.accent}; }}
    QPushButton[kind="flat"]:disabled {{ color: {t.disabled}; background: transparent; }}
    QLineEdit, QComboBox, QSpinBox, QDoubleSpinBox, QDateEdit, QPlainTextEdit {{ background: {t.background};
        border: 1px solid {t.border}; border-radius: 6px; padding: 4px 8px; selection-background-color: {t.accent}; }}
    QLineEdit:focus, QComboBox:focus, QSpinBox:focus, QDoubleSpinBox:focus, QPlainTextEdit:focus
        {{ border: 1px solid {t.accent}; }}
    QLineEdit[wrong="true"] {{ border: 1px solid {t.bad}; }}
    QComboBox::drop-down {{ border: 0; width: 18px; }}
    QComboBox::down-arrow {{ width: 0; height: 0; margin-right: 6px; border-left: 4px solid {t.background};
        border-right: 4px solid {t.background}; border-top: 5px solid {t.muted}; }}
    QComboBox QAbstractItemView {{ background: {t.raised}; border: 1px solid {t.border};
        selection-background-color: {selected}; selection-color: {t.text}; }}
    QTableView, QTreeView, QListView {{ background: {t.surface}; border: 0; gridline-color: transparent;
        selection-background-color: {selected}; selection-color: {t.text}; outline: 0; }}
    QTableView::item {{ padding: 0 5px; border: 0; }}
    QTableView::item:selected {{ background: {selected}; }}
    QHeaderView {{ background: {t.surface}; }}
    QHeaderView::section {{ background: {t.surface}; color: {t.muted}; border: 0;
        border-bottom: 1px solid {t.border}; padding: 4px 8px; font-size: {SMALL}px; font-weight: 500; }}
    QHeaderView::up-arrow, QHeaderView::down-arrow {{ image: none; width: 0; height: 0; }}
    QSplitter::handle {{ background: transparent; }}
    QScrollBar:vertical {{ background: transparent; width: 10px; }}
    QScrollBar:horizontal {{ background: transparent; height: 10px; }}
    QScrollBar::handle {{ background: {t.border}; border-radius: 4px; min-height: 24px; min-width: 24px; margin: 1px; }}
    QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
    QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
    QProgressBar {{ background: {t.grid}; border: 0; border-radius: 4px; height: 8px; text-align: center; }}
    QProgressBar::chunk {{ background: {t.accent}; border-radius: 4px; }}
    QStatusBar {{ background: {t.surface}; border-top: 1px solid {t.border}; }}
    QStatusBar::item {{ border: 0; }}
    QCheckBox {{ spacing: 6px; }}
    QCheckBox::indicator {{ width: 13px; height: 13px; border: 1px solid {t.muted}; border-radius: 3px;
        background: {t.background}; }}
    QCheckBox::indicator:checked {{ background: {t.accent}; border-color: {t.accent}; }}
    QCheckBox::indicator:focus {{ border-color: {t.accent}; }}
    """
